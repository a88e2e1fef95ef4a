package access_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims/access"
)

// A place is written as a handset writes it, with the word that the network provided it (TS 24.229 §7.2A.4.3).
func TestInfo(t *testing.T) {
	tests := map[string]struct {
		class access.Class
		at    [4]string // MCC, MNC, area, cell
		zone  time.Duration
		want  string // "": refused
	}{
		"E-UTRAN": {
			access.EUTRAN,
			[4]string{"001", "01", "00a1", "00bc1f0"},
			0,
			`3GPP-E-UTRAN;utran-cell-id-3gpp=0010100A100BC1F0;local-time-zone="UTC+00:00";network-provided`,
		},
		"NR": {
			access.NR,
			[4]string{"310", "410", "0000a1", "00bc1f001"},
			time.Hour,
			`3GPP-NR;utran-cell-id-3gpp=3104100000A100BC1F001;local-time-zone="UTC+01:00";network-provided`,
		},
		"GERAN": {
			access.GERAN,
			[4]string{"001", "01", "0001", "0002"},
			-210 * time.Minute,
			`3GPP-GERAN;cgi-3gpp=0010100010002;local-time-zone="UTC-03:30";network-provided`,
		},
		"UTRAN": {
			access.UTRAN,
			[4]string{"001", "01", "0001", "0002"},
			345 * time.Minute,
			`3GPP-UTRAN;utran-sai-3gpp=0010100010002;local-time-zone="UTC+05:45";network-provided`,
		},
		"a zone that there is none": {
			access.UTRAN, [4]string{"001", "01", "0001", "0002"}, 15 * time.Hour, `3GPP-UTRAN;utran-sai-3gpp=0010100010002;network-provided`,
		},
		"no cell": {
			access.NR, [4]string{"001", "01", "000001", ""}, 0, `3GPP-NR;local-time-zone="UTC+00:00";network-provided`,
		},
		"no network":                 {access.NR, [4]string{"", "", "000001", "000000001"}, 0, ""},
		"a network of other digits":  {access.NR, [4]string{"00A", "01", "000001", "000000001"}, 0, ""},
		"a network that is too long": {access.NR, [4]string{"001", "0001", "000001", "000000001"}, 0, ""},
		"an area of another length":  {access.NR, [4]string{"001", "01", "0001", "000000001"}, 0, ""},
		"a cell of another length":   {access.EUTRAN, [4]string{"001", "01", "0001", "000000001"}, 0, ""},
		"a cell with a parameter":    {access.EUTRAN, [4]string{"001", "01", "0001", "1;x=yyy"}, 0, ""},
		"a class without cells":      {access.WLAN, [4]string{"001", "01", "0001", "0000001"}, 0, ""},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			info, err := access.At(test.class, access.PLMN{MCC: test.at[0], MNC: test.at[1]}, test.at[2], test.at[3])
			if (err != nil) != (test.want == "") {
				t.Fatal(err)
			}
			if err != nil {
				if info != (access.Info{}) {
					t.Errorf("%+v", info)
				}
				return
			}
			if got := info.In(test.zone).String(); got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
		})
	}

	if got := (access.Info{Zoned: true}).String(); got != "" {
		t.Errorf("of an unknown access: %s", got)
	}
}

// Whatever a network names as a cell, nothing but digits gets into the header field.
func FuzzAt(f *testing.F) {
	f.Add("3GPP-NR", "001", "01", "000001", "000000001")
	f.Add("3GPP-E-UTRAN", "310", "410", "0001", "00000af")

	f.Fuzz(func(t *testing.T, class, mcc, mnc, area, cell string) {
		info, err := access.At(access.Class(class), access.PLMN{MCC: mcc, MNC: mnc}, area, cell)
		if err != nil {
			return
		}
		if text := info.String(); strings.Count(text, ";") > 2 || strings.ContainsAny(text, " \r\n\",") {
			t.Errorf("%q", text)
		}
	})
}
