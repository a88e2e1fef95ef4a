package rx_test

import (
	"encoding/hex"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/ims/access"
)

// 3GPP-User-Location-Info and 3GPP-MS-TimeZone (TS 29.061 §16.4.7.2) as P-Access-Network-Info has them.
func TestWhere(t *testing.T) {
	for name, test := range map[string]struct {
		location, zone string // in hexadecimal digits
		want           string
		refused        bool
	}{
		"TAI and ECGI": {
			"8200f110000100f11000000101", "4000",
			`3GPP-E-UTRAN;utran-cell-id-3gpp=0010100010000101;local-time-zone="UTC+01:00";network-provided`, false,
		},
		"the spare bits of an ECI": {
			"8200f110000100f110f0000101", "", `3GPP-E-UTRAN;utran-cell-id-3gpp=0010100010000101;network-provided`, false,
		},
		"a network with a long MNC": {
			"82130014000113001400000101", "", `3GPP-E-UTRAN;utran-cell-id-3gpp=31041000010000101;network-provided`, false,
		},
		"the network is that of the ECGI": {
			"8299f999000100f11000000101", "", `3GPP-E-UTRAN;utran-cell-id-3gpp=0010100010000101;network-provided`, false,
		},
		"5GS TAI and NCGI": {
			"8900f11000000100f1100000000010", "8001",
			`3GPP-NR;utran-cell-id-3gpp=00101000001000000010;local-time-zone="UTC+02:00";network-provided`, false,
		},
		"the spare bits of an NCI": {
			"8900f11000000100f110f000000010", "", `3GPP-NR;utran-cell-id-3gpp=00101000001000000010;network-provided`, false,
		},
		"CGI":                       {"0000f11000010002", "", `3GPP-GERAN;cgi-3gpp=0010100010002;network-provided`, false},
		"SAI":                       {"0100f11000010002", "", `3GPP-UTRAN;utran-sai-3gpp=0010100010002;network-provided`, false},
		"TAI alone":                 {"8000f1100001", "", `3GPP-E-UTRAN;network-provided`, false},
		"ECGI alone":                {"8100f11000000101", "", `3GPP-E-UTRAN;network-provided`, false},
		"NCGI alone":                {"8700f1100000000010", "", `3GPP-NR;network-provided`, false},
		"5GS TAI alone":             {"8800f110000001", "", `3GPP-NR;network-provided`, false},
		"RAI":                       {"0200f110000101ff", "", "", false},
		"none":                      {"", "4000", "", false},
		"west of UTC, by quarters":  {"8000f1100001", "4900", `3GPP-E-UTRAN;local-time-zone="UTC-03:30";network-provided`, false},
		"a zone of other digits":    {"8000f1100001", "f000", `3GPP-E-UTRAN;network-provided`, false},
		"a zone that there is none": {"8000f1100001", "9700", `3GPP-E-UTRAN;network-provided`, false},
		"cut off":                   {"8200f110000100f110000001", "", "", true},
		"a network of other digits": {"8200f1a0000100f1a000000101", "", "", true},
		"another form":              {"ff00f110", "", "", true},
		"the form alone":            {"89", "", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			a := rx.AccessInformation{UserLocation: octets(t, test.location), TimeZone: octets(t, test.zone)}

			info, err := a.Where()
			if got := info.String(); got != test.want || (err != nil) != test.refused {
				t.Errorf("%s %v\nwant %s", got, err, test.want)
			}
		})
	}
}

func octets(t *testing.T, text string) []byte {
	t.Helper()

	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}

	return b
}

// The kind of access network by IP-CAN-Type and RAT-Type (TS 29.212 §5.3.27, §5.3.31).
func TestAccessClass(t *testing.T) {
	for _, test := range []struct {
		network *rx.IPCANType
		radio   *rx.RATType
		want    access.Class
	}{
		{nil, nil, ""},
		{new(rx.EPS), new(rx.EUTRAN), access.EUTRAN},
		{new(rx.FiveGS), new(rx.NR), access.NR},
		{new(rx.EPS), nil, ""},
		{new(rx.NonEPS), nil, access.WLAN},
		{new(rx.NonFiveGS), new(rx.RATType(1)), access.WLAN},
		{new(rx.NonEPS), new(rx.WLAN), access.WLAN},
		{new(rx.GPRS), new(rx.UTRAN), access.UTRAN},
		{new(rx.GPRS), new(rx.GERAN), access.GERAN},
		{nil, new(rx.RATType(2000)), ""},
	} {
		if got := rx.AccessClass(test.network, test.radio); got != test.want {
			t.Errorf("%v %v: %q, want %q", test.network, test.radio, got, test.want)
		}
	}
}

// No location takes the program down, and what is made of it is one value of the header field.
func FuzzWhere(f *testing.F) {
	for _, location := range []string{"8200f110000100f11000000101", "8900f11000000100f1100000000010", "0000f11000010002", "01", "80"} {
		b, _ := hex.DecodeString(location)
		f.Add(b, []byte{0x40, 0})
	}

	f.Fuzz(func(t *testing.T, location, zone []byte) {
		a := rx.AccessInformation{UserLocation: location, TimeZone: zone}

		info, err := a.Where()
		for _, r := range info.String() {
			if r <= ' ' || r > '~' || r == ',' {
				t.Errorf("%q", info.String())
			}
		}
		if err != nil && info.Class != "" {
			t.Errorf("%+v: %v", info, err)
		}
	})
}
