package trust

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TS 24.229 §4.4: who is outside hears why a request failed, and not where the core is.
func TestAddressesAreHidden(t *testing.T) {
	for said, want := range map[string]string{
		`SIP;cause=408;text="no answer from 192.0.2.77:5060"`:                `SIP;cause=408;text="no answer from a hidden address"`,
		`SIP;cause=408;text="no answer from 192.0.2.77."`:                    `SIP;cause=408;text="no answer from a hidden address."`,
		`SIP;cause=408;text="no answer from [2001:db8::1]:5060"`:             `SIP;cause=408;text="no answer from a hidden address"`,
		`SIP;cause=408;text="no answer from 2001:db8::1"`:                    `SIP;cause=408;text="no answer from a hidden address"`,
		`SIP;cause=408;text="none: ::1, scscf.home:5060"`:                    `SIP;cause=408;text="none: a hidden address, a hidden address"`,
		`SIP;cause=504;text="no S-CSCF answered: [sip:scscf.home:5060]"`:     `SIP;cause=504;text="no S-CSCF answered: [a hidden address]"`,
		`SIP;cause=504;text="none: [sip:a.home sip:[2001:db8::2]:5060;lr]"`:  `SIP;cause=504;text="none: [a hidden address a hidden address;lr]"`,
		`SIP;cause=404;text="sip:+15550007@192.0.2.9:5060 is nobody"`:        `SIP;cause=404;text="a hidden address is nobody"`,
		`SIP;cause=480;text="sip:+15550007@ims.home is not registered here"`: ``,
		`SIP;cause=404;text="tel:+15550007 is nobody since 12:30:45"`:        ``,
		`SIP;cause=403;text="as many as registrar.max_contacts allows"`:      ``,
		`Q.850;cause=16;text="Terminated"`:                                   ``,
		`DIAMETER;cause=5003;text="the public identity is not registered"`:   ``,
		`SIP;cause=200;text="elsewhere", X;cause=1;text=10.0.0.1`:            `SIP;cause=200;text="elsewhere", X;cause=1;text="a hidden address"`,
		`SIP;cause=486;src=10.0.0.1;text="busy"`:                             `SIP;cause=486;text="busy"`,
		`SIP;cause=486;src="10.0.0.1:5060";x`:                                `SIP;cause=486;x`,
		`1.2.3.4;cause=1, SIP;cause=2`:                                       `SIP;cause=2`,
		`"1.2.3.4";;cause=1`:                                                 `none`,
		`SIP;cause=504;text="no answer from pcscf-1:5060"`:                   `SIP;cause=504;text="no answer from a hidden address"`,
		`SIP;cause=504;text="no answer from [fe80::1%eth0]:5060"`:            `SIP;cause=504;text="no answer from a hidden address"`,
		`SIP;cause=404;text="sip:+15550007 is nobody"`:                       ``,
	} {
		if want == "" {
			want = said
		}

		for _, to := range []Party{Handset, Foreign, Core} {
			r, err := sip.NewRequest("BYE", "sip:a@b")
			if err != nil {
				t.Fatal(err)
			}
			sip.Add(r, "Reason", said)
			Cross(r, Core, to)

			wanted := want
			if to == Core {
				wanted = said
			}
			if wanted == "none" {
				wanted = ""
			}
			if got := strings.Join(sip.Values(r, "Reason"), ", "); got != wanted {
				t.Errorf("the %s get %s\nwant %s", to, got, wanted)
			}
		}
	}
}
