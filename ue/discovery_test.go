package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/test/nameserver"
)

// TS 24.229 §9.2.1, RFC 3263 §4: where the P-CSCF is found.
func TestDiscover(t *testing.T) {
	server := nameserver.Start(t,
		`pcscf.ims.example. 300 IN NAPTR 20 50 "s" "SIP+D2U" "" _sip._udp.pcscf.ims.example.`,
		`pcscf.ims.example. 300 IN NAPTR 10 50 "s" "SIP+D2T" "" _sip._tcp.pcscf.ims.example.`,
		"_sip._udp.pcscf.ims.example. 300 IN SRV 0 0 5070 pcscf.ims.example.",
		"_sip._tcp.pcscf.ims.example. 300 IN SRV 0 0 5071 pcscf.ims.example.",
		"pcscf.ims.example. 300 IN A 192.0.2.1",
		"pcscf.ims.example. 300 IN AAAA 2001:db8::1",
		"plain.example. 300 IN A 192.0.2.2",
	)

	for name, test := range map[string]struct {
		pcscf, transport string
		asks             bool   // there is --dns
		own              string // address of the handset
		want, err        string
	}{
		"nothing said: the lab":             {own: "127.0.0.1", want: "UDP 127.0.0.10 port 5060"},
		"an address":                        {pcscf: "192.0.2.9:5066", own: "127.0.0.1", want: "UDP 192.0.2.9 port 5066"},
		"an address, over TCP":              {pcscf: "[2001:db8::9]:5066", transport: "tcp", own: "::1", want: "TCP 2001:db8::9 port 5066"},
		"the domain alone":                  {asks: true, own: "127.0.0.1", want: "TCP 192.0.2.1 port 5071"},
		"the domain alone, over UDP":        {asks: true, transport: "udp", own: "127.0.0.1", want: "UDP 192.0.2.1 port 5070"},
		"the domain alone, by IPv6":         {asks: true, own: "2001:db8::100", want: "TCP 2001:db8::1 port 5071"},
		"a name":                            {pcscf: "plain.example", asks: true, own: "127.0.0.1", want: "UDP 192.0.2.2 port 5060"},
		"a name with a port: no SRV":        {pcscf: "pcscf.ims.example:5099", asks: true, own: "127.0.0.1", want: "UDP 192.0.2.1 port 5099"},
		"nobody's name":                     {pcscf: "nobody.example", asks: true, own: "127.0.0.1", err: "there is no such host"},
		"a name that has none of my family": {pcscf: "plain.example", asks: true, own: "::1", err: "family of --address"},
		"a port that is none":               {pcscf: "plain.example:x", asks: true, own: "127.0.0.1", err: "is neither an address with its port"},
		"no name":                           {pcscf: ":5060", asks: true, own: "127.0.0.1", err: "is neither an address with its port"},
		"another transport":                 {transport: "tls", own: "127.0.0.1", err: "neither udp nor tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options{domain: "ims.example", proxy: test.pcscf, transport: test.transport}
			if test.asks {
				o.nameservers = []string{server.Address}
			}

			got, err := o.discover(t.Context(), netip.MustParseAddr(test.own))

			switch {
			case test.err != "":
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want %s", err, test.err)
				}
			case err != nil || got.String() != test.want:
				t.Errorf("got %s, %v, want %s", got, err, test.want)
			}
		})
	}

	// A name server without a port is at 53, where nobody answers here.
	for given, asked := range map[string]string{
		"127.0.0.99": "127.0.0.99:53", "::1": "[::1]:53", "[::1]": "[::1]:53", "127.0.0.99:5399": "127.0.0.99:5399",
	} {
		o := options{domain: "ims.example", nameservers: []string{given}}
		if _, err := o.discover(t.Context(), netip.MustParseAddr("127.0.0.1")); err == nil || !strings.Contains(err.Error(), asked) {
			t.Errorf("--dns %s: %v", given, err)
		}
	}

	o := options{domain: "ims.example", nameservers: []string{server.Address}, namespace: "elsewhere"}
	if _, err := o.discover(t.Context(), netip.MustParseAddr("127.0.0.1")); err == nil || !strings.Contains(err.Error(), "--netns") {
		t.Errorf("from another network: %v", err)
	}
}
