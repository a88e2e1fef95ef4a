package diameter

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fiorix/go-diameter/v4/diam/datatype"
)

// text returns the AVPs of a message by their names, for people: one a line, those of a group below it and further in. What cannot be read
// is shown in hexadecimal.
func (d *Dictionary) text(message []byte) string {
	if len(message) < headerLength {
		return ""
	}

	known, found := d.codes[binary.BigEndian.Uint32(message[8:])]
	if !found {
		known = d.codes[0]
	}

	var b strings.Builder
	known.describe(&b, message[headerLength:], 0)

	return b.String()
}

// describe writes the AVPs of a message or a group.
func (known attributes) describe(b *strings.Builder, avps []byte, depth int) {
	margin := strings.Repeat("  ", depth)

	for len(avps) > 0 {
		raw, err := parseAVP(avps)
		if err != nil {
			fmt.Fprintf(b, "%s(%v)\n", margin, err)
			return
		}

		value, attribute := avps[raw.header:raw.length], known[codeKey(raw.code, raw.vendor)]
		avps = avps[raw.next:]

		switch {
		case attribute == nil:
			fmt.Fprintf(b, "%sAVP %d of vendor %d: %s\n", margin, raw.code, raw.vendor, hexadecimal(value))
		case attribute.kind == datatype.GroupedType && depth < maxNesting:
			fmt.Fprintf(b, "%s%s:\n", margin, attribute.name)
			known.describe(b, value, depth+1)
		default:
			fmt.Fprintf(b, "%s%s: %s\n", margin, attribute.name, attribute.text(value))
		}
	}
}

// text returns a value that is not a group.
func (a *attribute) text(value []byte) string {
	const framedIPAddress = 8

	switch {
	case a.code == framedIPAddress && a.vendor == 0 && len(value) == 4:
		return netip.AddrFrom4([4]byte(value)).String()
	case a.kind == datatype.Unsigned64Type && len(value) == 8:
		return strconv.FormatUint(binary.BigEndian.Uint64(value), 10)
	case a.kind == datatype.Integer64Type && len(value) == 8:
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(value)), 10)
	case a.kind == datatype.AddressType && len(value) > 2:
		if address, ok := netip.AddrFromSlice(value[2:]); ok {
			return address.String()
		}
	case len(value) == 4:
		if text := a.text32(binary.BigEndian.Uint32(value)); text != "" {
			return text
		}
	}

	if len(value) > 0 && a.kind != datatype.AddressType && isPrintable(value) {
		return string(value)
	}

	return hexadecimal(value)
}

// text32 returns a value of 32 bits; "" where the type is another.
func (a *attribute) text32(value uint32) string {
	const from1900To1970 = 2208988800 // seconds

	switch a.kind {
	case datatype.EnumeratedType:
		if name, found := a.values[value]; found {
			return fmt.Sprintf("%s (%d)", name, int32(value))
		}

		return strconv.Itoa(int(int32(value)))
	case datatype.Unsigned32Type:
		return strconv.FormatUint(uint64(value), 10)
	case datatype.Integer32Type:
		return strconv.Itoa(int(int32(value)))
	case datatype.TimeType:
		return time.Unix(int64(value)-from1900To1970, 0).UTC().Format(time.RFC3339)
	default:
		return ""
	}
}

func hexadecimal(value []byte) string { return "0x" + hex.EncodeToString(value) }

func isPrintable(value []byte) bool {
	return utf8.Valid(value) && !strings.ContainsFunc(string(value), func(r rune) bool { return !unicode.IsPrint(r) })
}
