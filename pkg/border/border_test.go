package border

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

func TestScreen(t *testing.T) {
	request, response := "MESSAGE sip:a SIP/2.0\r\n", "SIP/2.0 200 OK\r\n"
	lab := Core{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64")}

	for _, test := range []struct {
		name, source, first string
		core                Core
		pass                bool
		err                 error
	}{
		{name: "no core is named: all are believed", source: "198.51.100.1:5060", first: request},
		{name: "of the core", source: "192.0.2.7:5060", first: request, core: lab},
		{name: "of the core, IPv6", source: "[2001:db8::7]:5060", first: request, core: lab},
		{name: "from elsewhere", source: "198.51.100.1:5060", first: request, core: lab, err: ErrOutside},
		{name: "from elsewhere, and to be served all the same", source: "198.51.100.1:5060", first: request, core: lab, pass: true},
		{name: "a response from elsewhere", source: "198.51.100.1:5060", first: response, core: lab},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := sip.ParseMessage(
				[]byte(
					test.first + "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n\r\n",
				),
			)
			if err != nil {
				t.Fatal(err)
			}
			got := test.core.Screen(func(*sip.Request) bool { return test.pass })(stack.Flow{Remote: netip.MustParseAddrPort(test.source)}, m)
			if !errors.Is(got, test.err) || test.err == nil && got != nil {
				t.Errorf("got %v, want %v", got, test.err)
			}
		})
	}
}
