package app

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/test/foreign"
)

// TestManyMMEsThatAreGone: requests to them go to whoever their realm leads to, and wait there. S-CSCFs are told all the same.
func TestManyMMEsThatAreGone(t *testing.T) {
	c := withMMEs(t)
	c.Push = Default().Push
	h := start(t, c)
	private := h.add(attached, "15550001")
	scscf := connect(t, h, "scscf")
	scscf.register(private, "sip:"+private)

	silent := &foreign.Peer{T: t, Host: "mme." + epc, Realm: epc, Capabilities: foreign.Applications(s6a.Application.ID)}
	if _, cea := silent.Dial(h.built.Node.Addresses()[0].String()); cea == nil {
		t.Fatal("no CEA")
	}

	err := h.built.store.Update(context.Background(), func(tx *subscriber.Tx) error {
		for i := range 900 {
			err := tx.Queue(&subscriber.Push{
				Command: subscriber.CLR, ServerHost: fmt.Sprintf("x%d.%s", i, epc), ServerRealm: epc, PrivateIdentity: private, IMSI: "001010000000009",
			})
			if err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	h.built.pushes.Wake()
	eventually(t, "the silent MME has been asked", func() bool { return len(silent.Requests()) > 0 })
	h.api("PUT", "/service-profiles/default", voicemail("sip:b.as"), nil)

	select {
	case <-scscf.received:
	case <-time.After(30 * time.Second):
		t.Error("no PPR at the S-CSCF")
	}
}
