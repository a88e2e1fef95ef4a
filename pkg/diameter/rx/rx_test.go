package rx_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
)

func ExampleFilterRule() {
	ue := netip.MustParsePrefix("10.45.0.2/32")
	far := netip.MustParsePrefix("192.0.2.1/32")

	fmt.Println(rx.FilterRule{Protocol: 17, From: rx.FilterEnd{Address: far}, To: rx.FilterEnd{Address: ue, First: 50000}})
	fmt.Println(rx.FilterRule{Uplink: true, Protocol: 17, From: rx.FilterEnd{Address: ue}, To: rx.FilterEnd{Address: far, First: 40000}})
	// Output:
	// permit out 17 from 192.0.2.1 to 10.45.0.2 50000
	// permit in 17 from 10.45.0.2 to 192.0.2.1 40000
}

func ExampleCodecData() {
	fmt.Print(rx.CodecData{Uplink: true, Stage: "offer", Lines: []string{"m=audio 50000 RTP/AVP 96", "a=rtpmap:96 AMR-WB/16000"}})
	// Output:
	// uplink
	// offer
	// m=audio 50000 RTP/AVP 96
	// a=rtpmap:96 AMR-WB/16000
}

// TestParseFilterRule: a rule that a PCRF takes and the UPF behind it drops silently must not be sent.
func TestParseFilterRule(t *testing.T) {
	for text, back := range map[string]string{
		"permit out 17 from 192.0.2.1 to 10.45.0.2 50000":      "permit out 17 from 192.0.2.1 to 10.45.0.2 50000",
		"permit in 17 from 10.45.0.2 to 192.0.2.1 40000-40001": "permit in 17 from 10.45.0.2 to 192.0.2.1 40000-40001",
		"permit in ip from any to any":                         "permit in ip from any to any",
		"permit out 6 from 2001:db8::/64 to 2001:db8:1::2 9":   "permit out 6 from 2001:db8::/64 to 2001:db8:1::2 9",
		"permit out ip from 10.0.0.1/32 to any":                "permit out ip from 10.0.0.1 to any",
		"permit out ip from 10.0.0.0/8 80 to any":              "permit out ip from 10.0.0.0/8 80 to any",
		"deny out ip from any to any":                          "",
		"permit both ip from any to any":                       "",
		"permit out udp from any to any":                       "",
		"permit out 0 from any to any":                         "",
		"permit out 017 from any to any":                       "",
		"permit out 256 from any to any":                       "",
		"permit out  ip from any to any":                       "",
		"permit out ip from any to":                            "",
		"permit out ip from any":                               "",
		"permit out ip from any to any 1 frag":                 "",
		"permit out ip from any to any 1,2":                    "",
		"permit out ip from any to any 2-1":                    "",
		"permit out ip from any to any 0":                      "",
		"permit out ip from any to any 65536":                  "",
		"permit out ip from any to !10.0.0.1":                  "",
		"permit out ip from any to assigned":                   "",
		"permit out ip from 10.0.0.1 to 2001:db8::1":           "",
		"permit out ip from ::ffff:10.0.0.1 to any":            "",
		"permit out ip from fe80::1%eth0 to any":               "",
		"permit out ip at 10.0.0.1 to any":                     "",
		"permit out ip from any 10.0.0.1 80 to 10.0.0.2":       "",
		"": "",
	} {
		rule, err := rx.ParseFilterRule(text)

		switch {
		case back == "" && err == nil:
			t.Errorf("%q was taken as %s", text, rule)
		case back != "" && (err != nil || rule.String() != back):
			t.Errorf("%q became %q, %v; want %q", text, rule, err, back)
		}
	}
}

func FuzzParseFilterRule(f *testing.F) {
	f.Add("permit out 17 from 192.0.2.1 to 10.45.0.2 50000")
	f.Add("permit in ip from 2001:db8::/64 1-2 to any")

	f.Fuzz(func(t *testing.T, text string) {
		rule, err := rx.ParseFilterRule(text)
		if err != nil {
			return
		}

		if back, err := rx.ParseFilterRule(rule.String()); err != nil || back != rule {
			t.Errorf("%q is %+v, and written %q it is %+v, %v", text, rule, rule, back, err)
		}
	})
}

// TestUE: the address of the UE, as PCRFs read it.
func TestUE(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.45.0.2"), netip.MustParseAddr("2001:db8:0:1::2")

	for name, test := range map[string]struct {
		v4, v6 []byte
		want   string
	}{
		"IPv4":                            {rx.FramedIPv4(v4), nil, "10.45.0.2/32"},
		"IPv6":                            {nil, rx.FramedIPv6(v6), "2001:db8:0:1::2/128"},
		"both":                            {rx.FramedIPv4(v4), rx.FramedIPv6(v6), "2001:db8:0:1::2/128"},
		"a /64, as short as it can be":    {nil, []byte{0, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 1}, "2001:db8:0:1::/64"},
		"none":                            {nil, nil, ""},
		"IPv4 of three octets":            {[]byte{10, 45, 0}, nil, ""},
		"sixteen octets for IPv4":         {v6.AsSlice(), nil, ""},
		"a prefix longer than its octets": {nil, []byte{0, 64, 0x20, 1}, ""},
		"a prefix length of 129":          {nil, append([]byte{0, 129}, v6.AsSlice()...), ""},
		"nineteen octets":                 {nil, append(rx.FramedIPv6(v6), 0), ""},
		"a prefix of one octet":           {nil, []byte{0}, ""},
	} {
		request := rx.AAR{FramedIPAddress: test.v4, FramedIPv6Prefix: test.v6}

		address, err := request.UE()
		if got := address.String(); (err == nil) != (test.want != "") || err == nil && got != test.want {
			t.Errorf("%s: %s, %v; want %q", name, got, err, test.want)
		}
	}
}

// TestName: a PCRF may put a result of RFC 6733 into Experimental-Result.
func TestName(t *testing.T) {
	for result, want := range map[diameter.Result]string{
		rx.IPCANSessionNotAvailable: "IP-CAN_SESSION_NOT_AVAILABLE",
		rx.FilterRestrictions:       "FILTER_RESTRICTIONS",
		rx.UnknownSessionID:         "DIAMETER_UNKNOWN_SESSION_ID",
		{Vendor: 10415, Code: 5004}: "DIAMETER_INVALID_AVP_VALUE",
		{Code: 9999}:                "",
	} {
		if got := rx.Name(result); got != want {
			t.Errorf("%v is %q, want %q", result, got, want)
		}
	}
}
