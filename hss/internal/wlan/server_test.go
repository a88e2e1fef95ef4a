package wlan

import "testing"

func TestIMSIOf(t *testing.T) {
	for name, want := range map[string]string{
		"001010000000001": "001010000000001",
		"001010000000001@wlan.mnc001.mcc001.3gppnetwork.org": "001010000000001",
		"0001010000000001": "001010000000001",
		"0001010000000001@wlan.mnc001.mcc001.3gppnetwork.org": "001010000000001",
		"6001010000000001@NAI.epc.mnc001.mcc001.3gppnetwork":  "001010000000001",
		"000101000000001@nai.epc.mnc001.mcc001.3gppnetwork":   "00101000000001", // of 14 digits
		"2001010000000001@nai.epc.mnc001.mcc001.3gppnetwork":  "2001010000000001",
		"": "", "@": "", "@nai.": "", "0@nai.x": "",
	} {
		if got := imsiOf(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
