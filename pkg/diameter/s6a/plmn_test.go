package s6a_test

import (
	"bytes"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// TestPLMN: TS 29.272 §7.3.9; the domain always has three digits of MNC (TS 23.003 §13.2).
func TestPLMN(t *testing.T) {
	for _, test := range []struct {
		octets             []byte
		plmn, domain, home string
	}{
		{[]byte{0x00, 0xF1, 0x10}, "001-01", "mnc001.mcc001.3gppnetwork.org", "001010000000001"},
		{[]byte{0x09, 0xF1, 0x07}, "901-70", "mnc070.mcc901.3gppnetwork.org", "901700000000001"},
		{[]byte{0x13, 0x00, 0x14}, "310-410", "mnc410.mcc310.3gppnetwork.org", "310410000000001"},
		{[]byte{0x00, 0xA1, 0x10}, "", "", ""},
		{[]byte{0x0F, 0xF1, 0x10}, "", "", ""},
		{[]byte{0x00, 0xF1, 0xF0}, "", "", ""},
		{[]byte{0x00, 0xF1}, "", "", ""},
		{[]byte{0x00, 0xF1, 0x10, 0}, "", "", ""},
		{nil, "", "", ""},
	} {
		plmn, err := s6a.ParsePLMN(test.octets)
		if test.plmn == "" {
			if err == nil {
				t.Errorf("%x is %s, want an error", test.octets, plmn)
			}
			continue
		}

		if err != nil || plmn.String() != test.plmn || plmn.Domain() != test.domain || !plmn.Home(test.home) || plmn.Home("999"+test.home[3:]) {
			t.Errorf("%x is %s of %s, %v, want %s of %s", test.octets, plmn, plmn.Domain(), err, test.plmn, test.domain)
		}
	}
}

func FuzzParsePLMN(f *testing.F) {
	for _, octets := range [][]byte{{0x00, 0xF1, 0x10}, {0x13, 0x00, 0x14}, {0xFF, 0xFF, 0xFF}, {0, 0xF1}} {
		f.Add(octets)
	}

	f.Fuzz(func(t *testing.T, octets []byte) {
		plmn, err := s6a.ParsePLMN(octets)
		if err != nil {
			return
		}

		third := "?" // 1111
		if len(plmn.MNC) == 3 {
			third = plmn.MNC[2:]
		}

		if back := s6a.TBCD(plmn.MCC + third + plmn.MNC[:2]); !bytes.Equal(back, octets) {
			t.Errorf("%x became %s, and that %x", octets, plmn, back)
		}
	})
}

func TestTBCD(t *testing.T) {
	for digits, want := range map[string][]byte{"": {}, "15550001": {0x51, 0x55, 0x00, 0x10}, "155": {0x51, 0xF5}} {
		if got := s6a.TBCD(digits); !bytes.Equal(got, want) {
			t.Errorf("%q is %x, want %x", digits, got, want)
		}
	}
}

func TestName(t *testing.T) {
	for result, want := range map[diameter.Result]string{
		s6a.ErrorUserUnknown:        "DIAMETER_ERROR_USER_UNKNOWN",
		{Code: 5001}:                "", // AVP unsupported: another thing
		{Vendor: 10415, Code: 5420}: "DIAMETER_ERROR_UNKNOWN_EPS_SUBSCRIPTION",
	} {
		if got := s6a.Name(result); got != want {
			t.Errorf("%v is %q, want %q", result, got, want)
		}
	}
}
