package diameter_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
)

// commands makes an empty message of each kind that there is.
var commands = []func() diameter.Commander{
	func() diameter.Commander { return new(cx.UAR) }, func() diameter.Commander { return new(cx.UAA) },
	func() diameter.Commander { return new(cx.SAR) }, func() diameter.Commander { return new(cx.SAA) },
	func() diameter.Commander { return new(cx.LIR) }, func() diameter.Commander { return new(cx.LIA) },
	func() diameter.Commander { return new(cx.MAR) }, func() diameter.Commander { return new(cx.MAA) },
	func() diameter.Commander { return new(cx.RTR) }, func() diameter.Commander { return new(cx.RTA) },
	func() diameter.Commander { return new(cx.PPR) }, func() diameter.Commander { return new(cx.PPA) },
	func() diameter.Commander { return new(ro.CCR) }, func() diameter.Commander { return new(ro.CCA) },
	func() diameter.Commander { return new(ro.RAR) }, func() diameter.Commander { return new(ro.RAA) },
	func() diameter.Commander { return new(ro.ASR) }, func() diameter.Commander { return new(ro.ASA) },
	func() diameter.Commander { return new(rx.AAR) }, func() diameter.Commander { return new(rx.AAA) },
	func() diameter.Commander { return new(rx.RAR) }, func() diameter.Commander { return new(rx.RAA) },
	func() diameter.Commander { return new(rx.STR) }, func() diameter.Commander { return new(rx.STA) },
	func() diameter.Commander { return new(rx.ASR) }, func() diameter.Commander { return new(rx.ASA) },
	func() diameter.Commander { return new(s6a.AIR) }, func() diameter.Commander { return new(s6a.AIA) },
	func() diameter.Commander { return new(s6a.ULR) }, func() diameter.Commander { return new(s6a.ULA) },
	func() diameter.Commander { return new(s6a.PUR) }, func() diameter.Commander { return new(s6a.PUA) },
	func() diameter.Commander { return new(s6a.NOR) }, func() diameter.Commander { return new(s6a.NOA) },
	func() diameter.Commander { return new(s6a.CLR) }, func() diameter.Commander { return new(s6a.CLA) },
	func() diameter.Commander { return new(s6a.IDR) }, func() diameter.Commander { return new(s6a.IDA) },
	func() diameter.Commander { return new(s6a.DSR) }, func() diameter.Commander { return new(s6a.DSA) },
	func() diameter.Commander { return new(s6a.RSR) }, func() diameter.Commander { return new(s6a.RSA) },
	func() diameter.Commander { return new(swx.MAR) }, func() diameter.Commander { return new(swx.MAA) },
	func() diameter.Commander { return new(swx.SAR) }, func() diameter.Commander { return new(swx.SAA) },
	func() diameter.Commander { return new(swx.RTR) }, func() diameter.Commander { return new(swx.RTA) },
	func() diameter.Commander { return new(sh.UDR) }, func() diameter.Commander { return new(sh.UDA) },
	func() diameter.Commander { return new(sh.PUR) }, func() diameter.Commander { return new(sh.PUA) },
	func() diameter.Commander { return new(sh.SNR) }, func() diameter.Commander { return new(sh.SNA) },
	func() diameter.Commander { return new(sh.PNR) }, func() diameter.Commander { return new(sh.PNA) },
	func() diameter.Commander { return new(swx.PPR) }, func() diameter.Commander { return new(swx.PPA) },
}

// nameOf is the name of a message's type. Rx has some that Ro has, too, SWx some of Cx, and Sh some of Cx and S6a.
func nameOf(c diameter.Commander) string {
	t := reflect.TypeOf(c).Elem()

	switch t.PkgPath() {
	case reflect.TypeFor[rx.AAR]().PkgPath():
		return "Rx-" + t.Name()
	case reflect.TypeFor[sh.UDR]().PkgPath():
		return "Sh-" + t.Name()
	case reflect.TypeFor[swx.MAR]().PkgPath():
		return "SWx-" + t.Name()
	default:
		return t.Name()
	}
}

// source gives the values that a message is filled with.
type source interface {
	present() bool
	count() int
	number(bits int) uint64
	text() string
	octets() []byte
	moment() time.Time
}

// filled is a message of the same kind with what the source gives in its every field.
func filled(empty diameter.Commander, from source) diameter.Commander {
	fill(reflect.ValueOf(empty).Elem(), from)
	return empty
}

func fill(v reflect.Value, from source) {
	if !v.CanInterface() { // embedded and not exported; what is in it is
		for i := range v.NumField() {
			fill(v.Field(i), from)
		}

		return
	}

	switch value := v.Addr().Interface().(type) {
	case *diameter.Result:
		*value = diameter.Result{Code: uint32(from.number(32))}
		if from.present() {
			value.Vendor = uint32(from.number(32))
		}

		return
	case *time.Time:
		*value = from.moment()
		return
	case *netip.Addr:
		*value = netip.AddrFrom4([4]byte(append(from.octets(), 10, 0, 0, 1)))
		return
	case *[]byte:
		*value = from.octets()
		return
	}

	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), from)
		}
	case reflect.Pointer:
		if from.present() {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), from)
		}
	case reflect.Slice:
		for range from.count() {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			fill(v.Index(v.Len()-1), from)
		}
	case reflect.String:
		v.SetString(from.text())
	case reflect.Bool:
		v.SetBool(from.present())
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(from.number(v.Type().Bits())))
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(from.number(v.Type().Bits()))
	default:
		panic(fmt.Sprintf("no value for %s", v.Type()))
	}

	if v.Kind() != reflect.Uint32 {
		return
	}

	if limited, ok := v.Interface().(interface{ Valid() bool }); ok && !limited.Valid() {
		v.SetUint(v.Uint() % 4)

		if limited, ok := v.Interface().(interface{ Valid() bool }); ok && !limited.Valid() {
			v.SetUint(1)
		}
	}
}

// everything fills every field, with values that differ.
type everything struct{ n uint64 }

func (e *everything) present() bool { return true }
func (e *everything) count() int    { return 2 }

func (e *everything) number(bits int) uint64 {
	e.n++
	return e.n % (1 << (bits - 1))
}

func (e *everything) text() string      { return fmt.Sprintf("text %d é", e.number(32)) }
func (e *everything) octets() []byte    { return []byte{0, 0xFF, byte(e.number(32))} }
func (e *everything) moment() time.Time { return time.Unix(1_700_000_000+int64(e.number(32)), 0) }

// serialized is a message as it goes over the wire.
func serialized(t testing.TB, d *diameter.Dictionary, sent diameter.Commander) []byte {
	t.Helper()

	m, err := d.Encode(sent)
	if err != nil {
		t.Fatal(err)
	}

	m.Header.HopByHopID, m.Header.EndToEndID = 1, 2

	raw, err := diameter.Serialize(m)
	if err != nil {
		t.Fatal(err)
	}

	return raw
}

// hostile are messages that no decoder should have to bear. All come before any CER.
func hostile() map[string][]byte {
	request := func(application uint32, body ...[]byte) []byte {
		b := []byte{1, 0, 0, 0, 0x80, 0, 1, 46, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2}
		binary.BigEndian.PutUint32(b[8:], application)
		b = slices.Concat(b, slices.Concat(body...))
		b[1], b[2], b[3] = byte(len(b)>>16), byte(len(b)>>8), byte(len(b))

		return b
	}
	avp := func(code uint32, flags byte, length int, value ...byte) []byte {
		return slices.Concat(binary.BigEndian.AppendUint32(nil, code), []byte{flags, byte(length >> 16), byte(length >> 8), byte(length)}, value)
	}
	nested := func(code uint32, depth int) (b []byte) {
		for i := range depth {
			b = append(b, avp(code, 0x40, 8*(depth-i))...)
		}

		return b
	}

	const application = 16777216

	short := request(application)
	short[3] = 4

	version := request(application)
	version[0] = 2

	return map[string][]byte{
		"a message shorter than its header":        short,
		"a message longer than max_message":        request(16777216, avp(263, 0x40, 11, 'a', ';', '1', 0), make([]byte, 70000)),
		"version 2":                                version,
		"a length that is no multiple of four":     append(request(application, []byte{0}), 0, 0, 0),
		"an application that is not served":        request(16777252),
		"a command that no dictionary has":         append([]byte{1, 0, 0, 20, 0x80, 0, 9, 9, 1, 0, 0, 0}, make([]byte, 8)...),
		"a request with the E bit":                 append([]byte{1, 0, 0, 20, 0xA0, 0, 1, 46, 1, 0, 0, 0}, make([]byte, 8)...),
		"an AVP cut off in its header":             request(application, avp(264, 0x40, 8)[:4]),
		"a vendor AVP cut off in its header":       request(application, avp(601, 0xC0, 12)),
		"an AVP shorter than its header":           request(application, avp(264, 0x40, 7)),
		"an AVP longer than the message":           request(application, avp(263, 0x40, 9, 'x', 0, 0, 0), avp(264, 0x40, 200)),
		"an Unsigned32 of two octets":              request(application, avp(268, 0x40, 10, 0, 0, 0, 0)),
		"an Unsigned32 of two octets in a group":   request(application, avp(260, 0x40, 20), avp(266, 0x40, 10, 0, 0, 0, 0)),
		"groups nested without end":                request(application, nested(284, 8000)),
		"Failed-AVPs nested without end":           request(application, nested(279, 8000)),
		"groups of 3GPP nested without end":        request(application, bytes.Repeat(avp(612, 0xC0, 12, 0, 0, 0x28, 0xAF), 2)),
		"a vendor's AVP with a code of the base's": request(application, avp(268, 0x80, 13, 0, 0, 1, 1, 7, 0, 0, 0)),
		"… which is mandatory":                     request(application, avp(268, 0xC0, 13, 0, 0, 1, 1, 7, 0, 0, 0)),
		"AVP flags that nobody defined":            request(application, avp(263, 0x41, 9, 'x', 0, 0, 0)),
		"text that is no UTF-8":                    request(application, avp(1, 0x40, 10, 0xC3, 0x28, 0, 0)),
		"an address of a family without a value":   request(application, avp(257, 0x40, 10, 0, 1, 0, 0)),
		"a CC-Request-Type of one octet": {
			1,
			0,
			0,
			32,
			0x80,
			0,
			1,
			16,
			0,
			0,
			0,
			4,
			0,
			0,
			0,
			0,
			0,
			0,
			0,
			0,
			0,
			0,
			1,
			0xA0,
			0x40,
			0,
			0,
			9,
			1,
			0,
			0,
			0,
		},
		"nothing but the smallest AVPs that there are": request(application, bytes.Repeat(avp(9999, 0, 8), 8000)),
	}
}
