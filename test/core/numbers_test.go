package core

import (
	"testing"

	"github.com/dialtone-ims/dialtone/test/network"
)

// Numbers dialled as handsets and soft phones dial them, without a numbering plan: those of the home network are what the HSS says that
// they are (TS 24.229 §5.1.2A.1.5, §5.4.3.2), and cost what the whole number costs.
func TestNumbers(t *testing.T) {
	n := network.Start(t, `DIALTONE_SCSCF_SESSIONS_NUMBERS_BREAKOUT={"*21": "sip:127.0.0.24:5060;lr"}`)
	n.OCS("PUT", "/tariffs/standard", map[string]any{"name": "standard", "rates": []any{
		map[string]any{"prefix": "+1555", "connection_fee": 7, "price": 0, "interval": 1, "increment": 1},
		map[string]any{"prefix": "", "connection_fee": 1, "price": 0, "interval": 1, "increment": 1}, // nobody is called at this price
	}}, nil)

	alice, bob := n.Subscribe(1000, ""), n.Subscribe(0, "")
	a, b := n.Registered(alice, nil), n.Registered(bob, nil)
	answered := n.Answering(b)
	left := int64(1000)

	for _, form := range []struct{ name, dialled string }{
		{"Crosscall, Pixel", "tel:15550002;phone-context=" + network.Domain},
		{"Moto, Samsung", "sip:15550002;phone-context=" + network.Domain + "@" + network.Domain + ";user=phone"},
		{"user=phone alone", "sip:15550002@" + network.Domain + ";user=phone"},
		{"a soft phone", "sip:15550002@" + network.Domain},
		{"tel without a context", "tel:15550002"},
		{"without the country", "sip:5550002;phone-context=" + network.Domain + "@" + network.Domain + ";user=phone"},
		{"the last four", "tel:0002;phone-context=" + network.Domain},
	} {
		t.Run(form.name, func(t *testing.T) {
			call, err := a.Dial(t.Context(), form.dialled)
			if err != nil {
				t.Fatal(err)
			}
			<-answered
			if err := call.HangUp(t.Context()); err != nil {
				t.Error(err)
			}

			left -= 7
			n.Await("the call's price", func() bool {
				balance, reserved := n.Balance(alice)
				return balance == left && reserved == 0
			})
		})
	}

	for _, refused := range []struct {
		name, dialled string
		status        int
	}{
		{"nobody's", "tel:15550009;phone-context=" + network.Domain, 404},
		{"nobody's, short", "tel:0009;phone-context=" + network.Domain, 404},
		{"RFC 3966 §3 raw #", "tel:*21#;phone-context=" + network.Domain, 400},
		{"raw # in a sip URI", "sip:*21#;phone-context=" + network.Domain + "@" + network.Domain + ";user=phone", 400},
	} {
		t.Run(refused.name, func(t *testing.T) {
			if _, err := a.Dial(t.Context(), refused.dialled); network.Status(err) != refused.status {
				t.Errorf("got %v, want %d", err, refused.status)
			}
		})
	}

	t.Run("RFC 3966 §3 # goes out as %23", func(t *testing.T) {
		gateway := serve(t, "127.0.0.24:5060")

		for _, dialled := range []string{
			"tel:*21%23;phone-context=" + network.Domain,
			"sip:*21%23;phone-context=" + network.Domain + "@" + network.Domain + ";user=phone",
		} {
			_, err := a.Dial(t.Context(), dialled) // the gateway has nobody either

			if got := gateway.last(); got == nil || got.Recipient.String() != dialled {
				t.Errorf("the gateway got %v, want %s (%v)", got, dialled, err)
			}
		}
	})

	n.Await("what was not answered to cost nothing", func() bool {
		balance, reserved := n.Balance(alice)
		return balance == left && reserved == 0
	})
}
