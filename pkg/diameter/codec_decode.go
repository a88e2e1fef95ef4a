package diameter

import (
	"errors"
	"net/netip"
	"reflect"
	"time"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
)

// Decode fills a typed command from a message. In a request a missing required AVP is a 5005 and a surplus one a 5009, each with
// Failed-AVP. AVPs without a field in the type are skipped.
func (d *Dictionary) Decode(m *Message, into Commander) error {
	command := into.Command()

	p, err := d.message(command.Application, reflect.TypeOf(into).Elem())
	if err != nil {
		return err
	}

	if q, ok := into.(requestHeaded); ok {
		q.requestHeader().Retransmitted = m.Header.CommandFlags&diam.RetransmittedFlag != 0
	}

	if !command.Answer {
		if err := checkApplication(m.AVP, command.Application); err != nil {
			return err
		}
	}

	return p.decode(m.AVP, reflect.ValueOf(into).Elem(), !command.Answer)
}

// checkApplication compares a request's Auth-Application-Id with the application of its header (RFC 6733 §6.8). An application without a
// vendor requires one; some network functions nevertheless send it in a Vendor-Specific-Application-Id.
func checkApplication(avps []*diam.AVP, application *Application) error {
	if application.ID == 0 {
		return nil
	}

	found := false

	for _, a := range avps {
		if a.VendorID != 0 || a.Code != avp.AuthApplicationID && a.Code != avp.VendorSpecificApplicationID {
			continue
		}

		group, ok := a.Data.(*diam.GroupedAVP)
		if !ok {
			group = &diam.GroupedAVP{AVP: []*diam.AVP{a}}
		}

		for _, part := range group.AVP {
			if part.VendorID != 0 || part.Code != avp.AuthApplicationID {
				continue
			}

			if id, ok := part.Data.(datatype.Unsigned32); !ok || uint32(id) != application.ID {
				return &Error{Result: InvalidAVPValue, Message: "Auth-Application-Id is another than that of the header", failed: []*diam.AVP{a}}
			}

			found = true
		}
	}

	if !found && (application.Vendor == 0 || application.NamedByAuth) {
		return &Error{
			Result: MissingAVP, Message: "Auth-Application-Id",
			failed: []*diam.AVP{diam.NewAVP(avp.AuthApplicationID, avp.Mbit, 0, datatype.Unsigned32(0))},
		}
	}

	return nil
}

func (p *plan) decode(avps []*diam.AVP, v reflect.Value, strict bool) error {
	var seen uint64 // a bit for each field

	for _, a := range avps {
		i, wanted := p.byCode[codeKey(a.Code, a.VendorID)]
		if !wanted {
			continue
		}

		f := &p.fields[i]

		if seen&(1<<i) != 0 && !f.many {
			if strict {
				return &Error{Result: AVPOccursTooManyTimes, Message: f.attribute.name, failed: []*diam.AVP{a}}
			}

			continue
		}

		seen |= 1 << i

		if err := f.decode(a, v.FieldByIndex(f.index), strict); err != nil {
			return err
		}
	}

	for i := range p.fields {
		if f := &p.fields[i]; strict && f.required && seen&(1<<i) == 0 {
			return &Error{Result: MissingAVP, Message: f.attribute.name, failed: []*diam.AVP{f.example()}}
		}
	}

	return nil
}

// example returns the AVP that Failed-AVP shows for a missing one: its header and the smallest value (RFC 6733 §7.5).
func (f *field) example() *diam.AVP {
	var data datatype.Type = datatype.OctetString(f.attribute.smallest())
	if f.group != nil {
		data = &diam.GroupedAVP{}
	}

	return diam.NewAVP(f.attribute.code, f.attribute.flags, f.attribute.vendor, data)
}

func (f *field) decode(a *diam.AVP, value reflect.Value, strict bool) error {
	if f.result {
		*value.Addr().Interface().(*Result) = decodeResult(a)
		return nil
	}

	if f.many {
		value.Grow(1)
		value.SetLen(value.Len() + 1)
		value = value.Index(value.Len() - 1)
	}

	if value.Kind() == reflect.Pointer {
		value.Set(reflect.New(value.Type().Elem()))
		value = value.Elem()
	}

	if f.group != nil {
		group, ok := a.Data.(*diam.GroupedAVP)
		if !ok {
			return &Error{Result: InvalidAVPValue, Message: f.attribute.name, failed: []*diam.AVP{a}}
		}

		if f.group.mandatory != nil {
			value.FieldByIndex(f.group.mandatory).SetBool(a.Flags&avp.Mbit != 0)
		}

		return f.enclose(a, f.group.decode(group.AVP, value, strict))
	}

	if !assign(value, a.Data) {
		return &Error{Result: InvalidAVPValue, Message: f.attribute.name, failed: []*diam.AVP{a}}
	}

	if strict && f.limited && !value.Addr().Interface().(limited).Valid() {
		return &Error{Result: InvalidAVPValue, Message: f.attribute.name, failed: []*diam.AVP{a}}
	}

	return nil
}

// enclose puts the AVP at fault into its group, for Failed-AVP (RFC 6733 §7.5).
func (f *field) enclose(a *diam.AVP, err error) error {
	if fault, ok := errors.AsType[*Error](err); ok {
		fault.Message = f.attribute.name + ": " + fault.Message
		fault.failed = []*diam.AVP{diam.NewAVP(a.Code, a.Flags, a.VendorID, &diam.GroupedAVP{AVP: fault.failed})}
	}

	return err
}

func decodeResult(a *diam.AVP) Result {
	if code, ok := a.Data.(datatype.Unsigned32); ok {
		return Result{Code: uint32(code)}
	}

	var r Result

	if group, ok := a.Data.(*diam.GroupedAVP); ok {
		for _, part := range group.AVP {
			value, _ := part.Data.(datatype.Unsigned32)

			switch part.Code {
			case avp.VendorID:
				r.Vendor = uint32(value)
			case avp.ExperimentalResultCode:
				r.Code = uint32(value)
			}
		}
	}

	return r
}

func assign(value reflect.Value, data datatype.Type) bool {
	switch d := data.(type) {
	case datatype.UTF8String:
		setText(value, string(d))
	case datatype.OctetString:
		setText(value, string(d))
	case datatype.DiameterIdentity:
		setText(value, string(d))
	case datatype.DiameterURI:
		setText(value, string(d))
	case datatype.IPFilterRule:
		setText(value, string(d))
	case datatype.Unsigned32:
		setNumber(value, int64(d))
	case datatype.Unsigned64:
		setNumber(value, int64(d))
	case datatype.Enumerated:
		setNumber(value, int64(d))
	case datatype.Integer32:
		setNumber(value, int64(d))
	case datatype.Integer64:
		setNumber(value, int64(d))
	case datatype.Address:
		address, _ := netip.AddrFromSlice(d) // an address family other than IP: nothing here reads it
		*value.Addr().Interface().(*netip.Addr) = address
	case datatype.Time:
		*value.Addr().Interface().(*time.Time) = time.Time(d)
	default:
		return false
	}

	return true
}

func setText(value reflect.Value, s string) {
	if value.Kind() == reflect.String {
		value.SetString(s)
	} else {
		value.SetBytes([]byte(s))
	}
}

func setNumber(value reflect.Value, n int64) {
	switch {
	case value.CanInt():
		value.SetInt(n)
	case value.Kind() == reflect.Uint32:
		value.SetUint(uint64(uint32(n)))
	default:
		value.SetUint(uint64(n))
	}
}
