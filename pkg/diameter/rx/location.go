package rx

import (
	"fmt"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims/access"
)

// Forms of 3GPP-User-Location-Info that name a cell, or the area that goes with it (TS 29.061 §16.4.7.2).
const (
	cgi          = 0
	sai          = 1
	rai          = 2
	tai          = 128
	ecgi         = 129
	taiAndECGI   = 130
	taiAndENB    = 132
	taiAndLong   = 134
	ncgi         = 135
	tai5GS       = 136
	tai5GSAndNCI = 137
	tai5GSAndRAN = 139
)

// Where returns what the access network says of the UE's place and time (TS 29.214 §4.4.6.7). An error: its place cannot be read.
func (a *AccessInformation) Where() (access.Info, error) {
	info, err := place(a.UserLocation)

	if zone, ok := timeZone(a.TimeZone); ok {
		info = info.In(zone)
	}

	return info, err
}

// place decodes 3GPP-User-Location-Info. A TAI has the tracking area of the cell that follows it; without a cell it tells the kind of
// access alone.
func place(b []byte) (access.Info, error) {
	if len(b) == 0 {
		return access.Info{}, nil
	}

	form, b := b[0], b[1:]

	switch form {
	case cgi, sai:
		class := access.GERAN
		if form == sai {
			class = access.UTRAN
		}

		if len(b) < 7 {
			return access.Info{}, access.ErrPlace
		}

		return access.At(class, network(b), hex(b[3:5], 4), hex(b[5:7], 4))
	case taiAndECGI:
		if len(b) < 12 {
			return access.Info{}, access.ErrPlace
		}

		return access.At(access.EUTRAN, network(b[5:]), hex(b[3:5], 4), hex(b[8:12], 7))
	case tai5GSAndNCI:
		if len(b) < 14 {
			return access.Info{}, access.ErrPlace
		}

		return access.At(access.NR, network(b[6:]), hex(b[3:6], 6), hex(b[9:14], 9))
	case tai, ecgi, taiAndENB, taiAndLong:
		return access.Info{Class: access.EUTRAN}, nil
	case ncgi, tai5GS, tai5GSAndRAN:
		return access.Info{Class: access.NR}, nil
	case rai: // of GERAN or UTRAN
		return access.Info{}, nil
	default:
		return access.Info{}, fmt.Errorf("%w: form %d", access.ErrPlace, form)
	}
}

// hex returns the last digits of a number.
func hex(b []byte, digits int) string {
	text := fmt.Sprintf("%X", b)
	return text[max(0, len(text)-digits):]
}

// network decodes three octets (TS 24.008 §10.5.1.3): a filler in place of a third digit of the MNC is none.
func network(b []byte) access.PLMN {
	digit := func(b byte) string { return fmt.Sprintf("%X", b&0x0F) }

	n := access.PLMN{MCC: digit(b[0]) + digit(b[0]>>4) + digit(b[1]), MNC: digit(b[2]) + digit(b[2]>>4)}
	if third := digit(b[1] >> 4); third != "F" {
		n.MNC += third
	}

	return n
}

// timeZone decodes 3GPP-MS-TimeZone (TS 29.061 §16.4.7.2, TS 24.008 §10.5.3.8): quarters of an hour, of which the tens stand low, with the
// sign above them. Daylight saving time is contained.
func timeZone(b []byte) (time.Duration, bool) {
	if len(b) == 0 || b[0]&0x07 > 9 || b[0]>>4 > 9 {
		return 0, false
	}

	zone := time.Duration(b[0]&0x07)*10 + time.Duration(b[0]>>4)
	if b[0]&0x08 != 0 {
		zone = -zone
	}

	return zone * 15 * time.Minute, true
}

// AccessClass returns the kind of access network that IP-CAN-Type and RAT-Type tell; "": they tell none.
func AccessClass(network *IPCANType, radio *RATType) access.Class {
	if radio != nil {
		switch *radio {
		case WLAN:
			return access.WLAN
		case UTRAN:
			return access.UTRAN
		case GERAN:
			return access.GERAN
		case EUTRAN:
			return access.EUTRAN
		case NR:
			return access.NR
		}
	}

	if network != nil && (*network == NonEPS || *network == NonFiveGS) {
		return access.WLAN
	}

	return ""
}
