package diameter_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

// TestRepeatedIdentity: an equal second Origin-Host or Origin-Realm is accepted in every request, CER too; a different one, or another
// repeated AVP, is not.
func TestRepeatedIdentity(t *testing.T) {
	tests := []struct {
		name   string
		code   uint32
		values []string
		want   uint32
	}{
		{"Origin-Host twice", avp.OriginHost, []string{"peer.example"}, 2001},
		{"Origin-Host three times, in other letters", avp.OriginHost, []string{"peer.example", "PEER.example"}, 2001},
		{"Origin-Realm twice", avp.OriginRealm, []string{"example"}, 2001},
		{"another Origin-Host", avp.OriginHost, []string{"other.example"}, 5009},
		{"another Origin-Realm behind an equal one", avp.OriginRealm, []string{"example", "other"}, 5009},
	}

	for _, test := range tests {
		again := func(m *diameter.Message) {
			for _, value := range test.values {
				m.AddAVP(diam.NewAVP(test.code, avp.Mbit, 0, datatype.DiameterIdentity(value)))
			}
		}
		wanted := func(t *testing.T, m *diameter.Message) {
			t.Helper()
			if got := resultCode(m); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
			if failed, err := m.FindAVP(avp.FailedAVP, 0); test.want == 5009 &&
				(err != nil || failed.Data.(*diam.GroupedAVP).AVP[0].Code != test.code) {
				t.Errorf("Failed-AVP %v, %v", failed, err)
			}
		}

		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := newNetwork()
				_, stop := net.run(t, listening("hss.example", addressA), serveLIR("sip:s", new(atomic.Int32)))
				defer stop()

				r := net.dialRaw(t, "peer.example", addressA)
				r.receive(257, false)

				lir := r.lir("hss.example", "example")
				again(lir)
				r.send(lir)
				wanted(t, r.receive(302, false))
				r.conn.Close()
			})
		})
		t.Run(test.name+" in CER", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := newNetwork()
				_, stop := net.run(t, listening("hss.example", addressA), nil)
				defer stop()

				r := net.dialRaw(t, "peer.example", addressA, again)
				wanted(t, r.receive(257, false))
				r.conn.Close()
			})
		})
	}
}
