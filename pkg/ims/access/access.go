// Package access says where a handset is and how it is reached, as the access network knows it (NPLI, TS 23.228 annex E.7), in
// P-Access-Network-Info (RFC 7315 §5.4, TS 24.229 §7.2A.4).
package access

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Class is a kind of access network, of which the network does not know the details that a handset states (RFC 7315 §5.4: access-class).
type Class string

// Values of Class.
const (
	GERAN  Class = "3GPP-GERAN"
	UTRAN  Class = "3GPP-UTRAN"
	EUTRAN Class = "3GPP-E-UTRAN"
	NR     Class = "3GPP-NR"
	WLAN   Class = "3GPP-WLAN"
)

// Info is what the access network says. Only the cell of the class is given.
type Info struct {
	Class Class
	CGI   string        // cgi-3gpp, of GERAN
	SAI   string        // utran-sai-3gpp, of UTRAN
	Cell  string        // utran-cell-id-3gpp, of E-UTRAN and NR
	Zone  time.Duration // east of UTC, daylight saving time included
	Zoned bool          // Zone is known
}

// String returns the value of P-Access-Network-Info; "": nothing is known.
func (i Info) String() string {
	if i.Class == "" {
		return ""
	}

	text := strings.Builder{}
	text.WriteString(string(i.Class))

	for _, p := range []struct{ name, value string }{
		{"cgi-3gpp", i.CGI}, {"utran-sai-3gpp", i.SAI}, {"utran-cell-id-3gpp", i.Cell},
	} {
		if p.value != "" {
			text.WriteString(";" + p.name + "=" + p.value)
		}
	}

	if i.Zoned {
		sign, zone := '+', i.Zone
		if zone < 0 {
			sign, zone = '-', -zone
		}

		fmt.Fprintf(&text, `;local-time-zone="UTC%c%02d:%02d"`, sign, zone/time.Hour, zone%time.Hour/time.Minute)
	}

	text.WriteString(";network-provided")

	return text.String()
}

// PLMN is a network.
type PLMN struct{ MCC, MNC string }

func (p PLMN) valid() bool {
	return len(p.MCC) == 3 && (len(p.MNC) == 2 || len(p.MNC) == 3) && digits(p.MCC) && digits(p.MNC)
}

func digits(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// ErrPlace is returned for a place that is none.
var ErrPlace = errors.New("the user's location is of no form that is known")

// lengths of an area and a cell in it, in hexadecimal digits (TS 23.003 §4.3, §19.4.2.3, §19.4.2.4, §19.6, §19.6A).
var lengths = map[Class][2]int{GERAN: {4, 4}, UTRAN: {4, 4}, EUTRAN: {4, 7}, NR: {6, 9}}

// At returns what is known of a handset in a cell: the digits of the network, then those of the area (LAC or TAC) and of the cell (CI, SAC,
// ECI or NCI), which are hexadecimal (TS 24.229 §7.2A.4.3). A cell that is empty is not known.
func At(class Class, network PLMN, area, cell string) (Info, error) {
	length, found := lengths[class]

	switch {
	case !found || !network.valid():
		return Info{}, ErrPlace
	case area == "" || cell == "":
		return Info{Class: class}, nil
	case len(area) != length[0] || len(cell) != length[1] || !hexadecimal(area+cell):
		return Info{}, ErrPlace
	}

	info, text := Info{Class: class}, network.MCC+network.MNC+strings.ToUpper(area+cell)

	switch class {
	case GERAN:
		info.CGI = text
	case UTRAN:
		info.SAI = text
	default:
		info.Cell = text
	}

	return info, nil
}

func hexadecimal(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F')
	}) < 0
}

// furthest is the largest difference between a local time and UTC.
const furthest = 14 * time.Hour

// In returns the information with a time zone, unless there is none so far from UTC.
func (i Info) In(zone time.Duration) Info {
	if zone.Abs() <= furthest {
		i.Zone, i.Zoned = zone.Truncate(time.Minute), true
	}

	return i
}
