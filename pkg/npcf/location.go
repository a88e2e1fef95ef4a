package npcf

import (
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims/access"
)

// UserLocation is where a UE is (TS 29.571 §5.4.4.7). Of the accesses, the one that it uses is given.
type UserLocation struct {
	EUTRA *EutraLocation `json:"eutraLocation,omitempty"`
	NR    *NrLocation    `json:"nrLocation,omitempty"`
	N3GA  *N3gaLocation  `json:"n3gaLocation,omitempty"`
}

// EutraLocation is a place in E-UTRAN (TS 29.571 §5.4.4.8).
type EutraLocation struct {
	TAI  TAI  `json:"tai"`
	ECGI ECGI `json:"ecgi"`
}

// NrLocation is a place in NR (TS 29.571 §5.4.4.9).
type NrLocation struct {
	TAI  TAI  `json:"tai"`
	NCGI NCGI `json:"ncgi"`
}

// N3gaLocation is a place in an access that is not 3GPP's (TS 29.571 §5.4.4.10).
type N3gaLocation struct {
	IPv4 string `json:"ueIpv4Addr,omitempty"`
	IPv6 string `json:"ueIpv6Addr,omitempty"`
}

// PLMNID is a network (TS 29.571 §5.4.4.3).
type PLMNID struct {
	MCC string `json:"mcc"`
	MNC string `json:"mnc"`
}

// TAI is a tracking area (TS 29.571 §5.4.4.4). Its code has four hexadecimal digits, or six.
type TAI struct {
	PLMN PLMNID `json:"plmnId"`
	TAC  string `json:"tac"`
}

// ECGI is a cell of E-UTRAN (TS 29.571 §5.4.4.5).
type ECGI struct {
	PLMN PLMNID `json:"plmnId"`
	Cell string `json:"eutraCellId"`
}

// NCGI is a cell of NR (TS 29.571 §5.4.4.6).
type NCGI struct {
	PLMN PLMNID `json:"plmnId"`
	Cell string `json:"nrCellId"`
}

// Where returns what a notification says of the UE's place and time (TS 29.514 §4.2.5.10). An error: its place cannot be read.
func (n *EventsNotification) Where() (access.Info, error) {
	info, err := n.place()

	if zone, ok := timeZone(n.TimeZone); ok {
		info = info.In(zone)
	}

	return info, err
}

func (n *EventsNotification) place() (access.Info, error) {
	switch at := n.Location; {
	case at == nil:
		return access.Info{Class: n.Class()}, nil
	case at.NR != nil:
		return access.At(access.NR, access.PLMN(at.NR.NCGI.PLMN), at.NR.TAI.TAC, at.NR.NCGI.Cell)
	case at.EUTRA != nil:
		area := at.EUTRA.TAI.TAC
		if len(area) == len("00ABCD") { // of a 5GC: the code has three octets there, the handset writes two
			area = strings.TrimPrefix(area, "00")
		}

		return access.At(access.EUTRAN, access.PLMN(at.EUTRA.ECGI.PLMN), area, at.EUTRA.ECGI.Cell)
	case at.N3GA != nil:
		return access.Info{Class: access.WLAN}, nil
	default:
		return access.Info{}, nil
	}
}

// Class returns the kind of access network that accessType and ratType tell; "": they tell none.
func (n *EventsNotification) Class() access.Class {
	switch n.RATType {
	case "NR", "NR_U", "NR_REDCAP":
		return access.NR
	case "EUTRA", "EUTRA_U", "LTE-M", "NBIOT":
		return access.EUTRAN
	case "WLAN", "TRUSTED_WLAN":
		return access.WLAN
	case "":
		if n.AccessType == "NON_3GPP_ACCESS" {
			return access.WLAN
		}
	}

	return ""
}

// timeZone parses a TimeZone (TS 29.571 §5.2.2): "-08:00+1", of which daylight saving time, at the end, is contained in the rest.
func timeZone(text string) (time.Duration, bool) {
	const form = "-07:00"

	if len(text) < len(form) {
		return 0, false
	}

	at, err := time.Parse(form, text[:len(form)])
	if err != nil {
		return 0, false
	}

	_, seconds := at.Zone()

	return time.Duration(seconds) * time.Second, true
}
