// Package hangup tests that a call is over for everybody, and for the OCS, however it ends.
package hangup

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/pkg/trace"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

func TestMain(m *testing.M) { network.Main(m) }

// talk is a call of a's, who pays, to b, and its two handsets.
type talk struct {
	n              *network.Network
	a, b           network.Subscriber
	caller, callee *handset.Handset
	call           *handset.Call // nil while it rings
	other          *handset.Call
	answered       <-chan *handset.Call
	began          time.Time
}

// talk sets a call up between two new subscribers.
func startTalk(n *network.Network, balance int64, change func(*handset.Config)) *talk {
	n.Helper()
	k := &talk{n: n, a: n.Subscribe(balance, ""), b: n.Subscribe(0, "")}
	k.caller, k.callee = n.Registered(k.a, nil), n.Registered(k.b, change)
	k.answered = n.Answering(k.callee)

	return k
}

func (k *talk) dial(t *testing.T) {
	t.Helper()
	call, err := k.caller.Dial(k.n.Context(), k.b.Tel())
	if err != nil {
		t.Fatalf("the call: %v", err)
	}
	k.began = time.Now()
	k.call, k.other = call, <-k.answered
}

// hangUp hangs up, and does not mind what comes of the BYE: some ways out end it before, or have nobody to answer it.
func hangUp(n *network.Network, c *handset.Call) {
	ctx, cancel := context.WithTimeout(n.Context(), 2*time.Second)
	defer cancel()
	_ = c.HangUp(ctx)
}

// settled waits until the caller's account has nothing reserved and no session is open, and wants what was charged to be no more than
// the call took, and all the money to be somewhere.
func (k *talk) settled(t *testing.T, balance int64, within time.Duration) {
	t.Helper()
	n := k.n

	type session struct {
		ID string `json:"id"`
	}

	deadline, tick := time.After(within), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for over := false; !over; {
		var open []session
		n.OCS("GET", "/sessions?account="+k.a.Name, nil, &open)
		left, reserved := n.Balance(k.a)
		over = reserved == 0 && len(open) == 0
		select {
		case <-deadline:
			t.Fatalf("%s after its end the call is charged on: balance %d, reserved %d, sessions %v", within, left, reserved, open)
		case <-tick.C:
		}
	}
	took := time.Since(k.began)

	var records []struct {
		Amount int64  `json:"amount"`
		Billed uint64 `json:"billed_seconds"`
	}
	n.OCS("GET", "/cdrs?account="+k.a.Name, nil, &records)
	sum := int64(0)
	for _, r := range records {
		sum += r.Amount
	}
	if left, _ := n.Balance(k.a); left+sum != balance {
		t.Errorf("the account has %d of %d left, and %d are in its records", left, balance, sum)
	}
	if most := int64(took/time.Second) + 2; sum > most {
		t.Errorf("%d charged for %s at 1 a second", sum, took)
	}

	var audit struct {
		Findings []string `json:"findings"`
	}
	n.OCS("GET", "/ledger/audit", nil, &audit)
	if len(audit.Findings) > 0 {
		t.Errorf("the ledger: %v", audit.Findings)
	}
}

// stolen is the Call-ID that a callee uses for an INVITE of its own.
var stolen atomic.Pointer[string]

func answering(change func(*sip.Response)) func(*handset.Config) {
	return func(c *handset.Config) { c.Answer = change }
}

func calling(change func(*sip.Request)) func(*handset.Config) {
	return func(c *handset.Config) { c.Alter = change }
}

const soon = 15 * time.Second // under load; a call that is charged on would be so for minutes

// TestEveryWayOut: however a call ends, it is over for the OCS as well: what was used is paid, nothing stays reserved, and nothing is
// charged on.
func TestEveryWayOut(t *testing.T) {
	const timer = "DIALTONE_SCSCF_SESSIONS_TIMER_SESSION_EXPIRES=90s" // the shortest there is
	n := network.Start(t, timer)

	// Two that take their time go on beside the others.
	vanished := startTalk(n, 1000, nil)
	vanished.dial(t)
	kept := startTalk(n, 1000, nil)
	kept.dial(t)
	if err := vanished.caller.Close(); err != nil {
		t.Error(err)
	}
	if err := vanished.callee.Close(); err != nil {
		t.Error(err)
	}

	for _, test := range []struct {
		name    string
		balance int64
		callee  func(*handset.Config)
		end     func(t *testing.T, k *talk)
	}{
		{"the caller hangs up", 1000, nil, func(t *testing.T, k *talk) {
			if err := k.call.HangUp(t.Context()); err != nil {
				t.Error(err)
			}
			<-k.other.Ended()
		}},
		{"the callee hangs up", 1000, nil, func(t *testing.T, k *talk) {
			if err := k.other.HangUp(t.Context()); err != nil {
				t.Error(err)
			}
			<-k.call.Ended()
		}},
		{"both hang up at once", 1000, nil, func(_ *testing.T, k *talk) {
			var both sync.WaitGroup
			both.Go(func() { hangUp(k.n, k.call) })
			both.Go(func() { hangUp(k.n, k.other) })
			both.Wait()
		}},
		{
			"the callee's 200 has no Record-Route",
			1000,
			answering(func(r *sip.Response) { sip.Remove(r, "Record-Route") }),
			func(t *testing.T, k *talk) {
				if err := k.call.HangUp(t.Context()); err != nil {
					t.Error(err)
				}
			},
		},
		{"the callee's 200 is without the S-CSCFs", 1000, answering(func(r *sip.Response) {
			all := sip.Values(r, "Record-Route")
			sip.Remove(r, "Record-Route")
			for _, value := range all {
				if !strings.Contains(value, "call-") {
					sip.Add(r, "Record-Route", value)
				}
			}
		}), func(t *testing.T, k *talk) {
			if err := k.call.HangUp(t.Context()); err != nil {
				t.Error(err)
			}
		}},
		{"the callee sends an INVITE with the ids of the call", 1000, calling(func(r *sip.Request) {
			if id := stolen.Load(); id != nil && r.IsInvite() {
				sip.Set(r, "Call-ID", *id)
			}
		}), func(t *testing.T, k *talk) {
			id := k.call.ID()
			stolen.Store(&id)
			defer stolen.Store(nil)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, _ = k.callee.Dial(ctx, k.a.Tel())
			if err := k.call.HangUp(t.Context()); err != nil {
				t.Error(err)
			}
		}},
		{"the callee's handset is gone, and the caller hangs up", 1000, nil, func(t *testing.T, k *talk) {
			if err := k.callee.Close(); err != nil {
				t.Error(err)
			}
			hangUp(k.n, k.call)
		}},
		{"the caller's handset is gone, and the callee hangs up", 1000, nil, func(t *testing.T, k *talk) {
			if err := k.caller.Close(); err != nil {
				t.Error(err)
			}
			hangUp(k.n, k.other)
		}},
		{"the caller de-registers", 1000, nil, func(t *testing.T, k *talk) {
			if err := k.caller.Deregister(t.Context()); err != nil {
				t.Error(err)
			}
			k.releasedFor(t, "registration")
		}},
		{"the callee de-registers", 1000, nil, func(t *testing.T, k *talk) {
			if err := k.callee.Deregister(t.Context()); err != nil {
				t.Error(err)
			}
			k.releasedFor(t, "registration")
		}},
		{"the HSS takes the caller's registration away (RTR)", 1000, nil, func(t *testing.T, k *talk) {
			k.n.HSS("DELETE", "/subscribers/"+k.a.IMSI+"/registration", nil, nil)
			k.releasedFor(t, "registration")
		}},
		{"the HSS takes the callee's registration away (RTR)", 1000, nil, func(t *testing.T, k *talk) {
			k.n.HSS("DELETE", "/subscribers/"+k.b.IMSI+"/registration", nil, nil)
			k.releasedFor(t, "registration")
		}},
		{"the credit ends", 3, nil, func(t *testing.T, k *talk) { k.releasedFor(t, "credit") }},
		{"the OCS ends the session (ASR)", 1000, nil, func(t *testing.T, k *talk) {
			var open []struct {
				ID string `json:"id"`
			}
			k.n.OCS("GET", "/sessions?account="+k.a.Name, nil, &open)
			if len(open) != 1 {
				t.Fatalf("sessions %v", open)
			}
			k.n.OCS("DELETE", "/sessions/"+open[0].ID, nil, nil)
			k.releasedFor(t, "")
		}},
		{"the I-CSCF dies, and the caller hangs up", 1000, nil, func(t *testing.T, k *talk) {
			k.n.Kill("icscf")
			defer k.n.Run("icscf")
			if err := k.call.HangUp(t.Context()); err != nil {
				t.Error(err)
			}
		}},
		{"the S-CSCF dies, and the caller hangs up", 1000, nil, func(t *testing.T, k *talk) {
			k.n.AwaitKept(k.a, k.b)
			k.n.Kill("scscf")
			k.n.Run("scscf", timer)
			if err := k.call.HangUp(t.Context()); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := startTalk(n, test.balance, test.callee)
			k.dial(t)
			test.end(t, k)
			k.settled(t, test.balance, soon)
		})
	}

	for _, test := range []struct {
		name string
		end  func(t *testing.T, k *talk, cancel func())
		want int
	}{
		{"the caller gives up while it rings", func(_ *testing.T, _ *talk, cancel func()) { cancel() }, 487},
		{"the HSS takes the caller's registration away while it rings", func(_ *testing.T, k *talk, _ func()) {
			k.n.HSS("DELETE", "/subscribers/"+k.a.IMSI+"/registration", nil, nil)
		}, 480},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := &talk{n: n, a: n.Subscribe(1000, ""), b: n.Subscribe(0, ""), began: time.Now()}
			k.caller, k.callee = n.Registered(k.a, nil), n.Registered(k.b, nil)
			ctx, cancel := context.WithCancel(n.Context())
			defer cancel()
			refused := make(chan error, 1)
			go func() {
				_, err := k.caller.Dial(ctx, k.b.Tel())
				refused <- err
			}()
			<-k.callee.Incoming()
			test.end(t, k, cancel)
			if err := <-refused; network.Status(err) != test.want {
				t.Errorf("got %v, want %d", err, test.want)
			}
			k.settled(t, 1000, soon)
		})
	}

	t.Run("both handsets are gone: the session timer ends it", func(t *testing.T) {
		vanished.settled(t, 1000, 2*time.Minute)
	})
	t.Run("a call that is refreshed goes on beyond the timer", func(t *testing.T) {
		for time.Since(kept.began) < 100*time.Second {
			select {
			case <-kept.call.Ended():
				t.Fatalf("it was released after %s: %s", time.Since(kept.began), kept.call.Why())
			case <-time.After(time.Second):
			}
		}
		if err := kept.call.HangUp(t.Context()); err != nil {
			t.Error(err)
		}
		kept.settled(t, 1000, soon)
	})
}

// releasedFor wants both handsets to get a BYE that says why; one that is gone from the network may miss it.
func (k *talk) releasedFor(t *testing.T, why string) {
	t.Helper()
	for name, side := range map[string]*handset.Call{"caller": k.call, "callee": k.other} {
		select {
		case <-side.Ended():
			if !strings.Contains(side.Why(), why) {
				t.Errorf("the %s's BYE says %q", name, side.Why())
			}
		case <-time.After(20 * time.Second):
			t.Errorf("the %s was not released", name)
		}
	}
}

// TestPCSCFForgetsCalls: a P-CSCF that keeps nothing over a restart serves the BYE of whoever has registered again, from either side,
// and the calls are over for the OCS.
func TestPCSCFForgetsCalls(t *testing.T) {
	n := network.Start(t)
	first, second := startTalk(n, 1000, nil), startTalk(n, 1000, nil)
	first.dial(t)
	second.dial(t)

	n.Kill("pcscf")
	n.Run("pcscf")

	for _, h := range []*handset.Handset{first.caller, first.callee, second.caller, second.callee} {
		if err := h.Register(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	hangUp(n, first.call)   // the callee's P-CSCF may not find it any more
	hangUp(n, second.other) // nor the caller's
	first.settled(t, 1000, soon)
	second.settled(t, 1000, soon)
}

// answer keeps the 200 to an INVITE as a handset gets it.
type answer struct{ atomic.Pointer[sip.Response] }

func (a *answer) keep(c *handset.Config) {
	c.Tap = func(m trace.Message) {
		if parsed, err := sip.ParseMessage(bytes.Clone(m.Data)); err == nil && !m.Sent {
			if r, is := parsed.(*sip.Response); is && r.StatusCode == 200 && r.CSeq().MethodName == "INVITE" {
				a.Store(r)
			}
		}
	}
}

// proxy is a SIP stack that nothing is asked of.
func proxy(t *testing.T, address string) *stack.Stack {
	t.Helper()

	c := stack.DefaultConfig(stack.EndpointConfig{Name: "Mw", Address: address, Transports: []string{"udp", "tcp"}})

	stack, err := stack.New(c, deaf{}, stack.Options{})
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- stack.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})

	return stack
}

type deaf struct{}

func (deaf) HandleRequest(context.Context, *stack.ServerTransaction) {}
func (deaf) HandleAck(context.Context, *stack.Ack)                   {}

// TestByeInTheCalleesName: another P-CSCF, which knows nothing of the call, lets a BYE of a friend of the caller's pass, who has from the
// caller what the caller knows of the call. The S-CSCF does not take the call for hung up: the callee goes on talking, and would not be
// told.
func TestByeInTheCalleesName(t *testing.T) {
	n := network.Start(t)
	var heard answer
	k := &talk{n: n, a: n.Subscribe(1000, ""), b: n.Subscribe(0, "")}
	k.caller, k.callee = n.Registered(k.a, heard.keep), n.Registered(k.b, nil)
	k.answered = n.Answering(k.callee)
	k.dial(t)

	known := heard.Load()
	another := proxy(t, "127.0.0.20:5070")

	for _, test := range []struct {
		name  string
		first int // of the S-CSCFs in the Route
	}{{"by both S-CSCFs", 0}, {"by the caller's S-CSCF alone", 1}} {
		t.Run(test.name, func(t *testing.T) {
			bye, err := sip.NewRequest("BYE", "sip:caller@"+k.a.Address)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sip.Complete(bye, known.To().Value(), known.From().Value(), known.CallID().Value(), 7); err != nil {
				t.Fatal(err)
			}
			passed := 0 // S-CSCFs
			for _, record := range sip.Values(known, "Record-Route") {
				if strings.Contains(record, "call-") {
					passed++
				}
				if passed > test.first {
					sip.Add(bye, "Route", record)
				}
			}

			response, err := another.Do(t.Context(), bye, stack.Destination{})
			if err != nil || response.StatusCode != 403 || !strings.Contains(sip.Value(response, "Reason"), "other side") {
				t.Errorf("%v %v, want 403", response, err)
			}
			if _, reserved := n.Balance(k.a); reserved == 0 {
				t.Error("the call goes on, and is not charged")
			}
			select {
			case <-k.call.Ended():
				t.Error("the BYE came to the caller")
			default:
			}
		})
	}

	if err := k.other.HangUp(t.Context()); err != nil {
		t.Errorf("the callee's own BYE: %v", err)
	}
	<-k.call.Ended()
	k.settled(t, 1000, soon)
}
