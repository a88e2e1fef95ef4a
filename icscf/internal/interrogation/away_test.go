package interrogation

import (
	"fmt"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestDeadServerIsRemembered: an S-CSCF that was found dead keeps one user waiting, not each of them, until its time is over or it is
// heard again.
func TestDeadServerIsRemembered(t *testing.T) {
	served := uaa(cx.SubsequentRegistration, serverA, nil)
	others := uaa(cx.Success, "", &cx.Capabilities{ServerNames: []string{serverA, serverB}})

	register := func(t *testing.T, d *desk, integrity string, by string, atMost time.Duration) {
		t.Helper()
		d.mu.Lock()
		d.uaa = []any{served, others}
		d.mu.Unlock()
		began := time.Now()
		d.register(protected + integrity + `"`)
		d.servers[by].Answer(latest(t, d, by), 200)
		d.pcscf.Response(200)
		if took := time.Since(began); took > atMost {
			t.Errorf("the user waited %v", took)
		}
	}

	t.Run("registrations", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			register(t, d, "no", serverB, 6*time.Second)
			for range 3 {
				register(t, d, "no", serverB, time.Second)
			}

			time.Sleep(31 * time.Second)
			register(t, d, "no", serverA, time.Second) // it is tried again, and is there
			register(t, d, "no", serverA, time.Second)
		})
	})

	t.Run("one that is protected goes to its S-CSCF, which is heard again by that", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			register(t, d, "no", serverB, 6*time.Second)
			register(t, d, "yes", serverA, time.Second)
			register(t, d, "no", serverA, time.Second)
		})
	})

	t.Run("the only one is tried all the same", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			d.uaa = []any{served, uaa(cx.ErrorUserUnknown, "", nil)}
			d.register(protected + `no"`)
			d.pcscf.Response(504)

			d.mu.Lock()
			d.uaa = []any{served, uaa(cx.ErrorUserUnknown, "", nil)}
			d.mu.Unlock()
			d.register(protected + `no"`)
			d.servers[serverA].Answer(latest(t, d, serverA), 200)
			d.pcscf.Response(200)
		})
	})

	t.Run("what one kind of request has found out counts for the other", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			register(t, d, "no", serverB, 6*time.Second)
			d.lia = []any{lia(cx.UnregisteredService, "", &cx.Capabilities{ServerNames: []string{serverA, serverB}})}
			d.send("INVITE", alice)
			d.servers[serverB].Answer(latest(t, d, serverB), 486)
			d.pcscf.Response(486)
		})
	})

	t.Run("one that answers others is not dead", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			d.uaa = []any{served, others}
			d.register(protected + `no"`)
			d.servers[serverA].Request("REGISTER") // that one it never answers
			d.lia = []any{lia(cx.Success, serverA, nil)}
			d.send("OPTIONS", alice)
			d.servers[serverA].Answer(latest(t, d, serverA), 200)
			d.pcscf.Response(200)
			d.servers[serverB].Answer(d.servers[serverB].Request("REGISTER"), 200)
			d.pcscf.Response(200)
			register(t, d, "no", serverA, time.Second)
		})
	})
}

// latest returns the last new request; earlier ones may still be repeated.
func latest(t *testing.T, d *desk, server string) *sip.Request {
	t.Helper()

	timeout := time.After(10 * time.Second)

	for {
		select {
		case m := <-d.servers[server].Came():
			if r, ok := m.(*sip.Request); ok && r.CallID().Value() == fmt.Sprintf("call-%d", d.cseq) {
				return r
			}
		case <-timeout:
			t.Fatalf("call-%d did not come to %s", d.cseq, server)
		}
	}
}

func TestAwayIsBounded(t *testing.T) {
	a := away{lasts: time.Hour}
	for i := range 10 * maxServers {
		a.silent(fmt.Sprint(i), time.Now())
	}
	if len(a.servers) > maxServers {
		t.Errorf("%d servers", len(a.servers))
	}
}
