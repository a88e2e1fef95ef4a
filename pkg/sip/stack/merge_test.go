package stack_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// merging is a proxy that answers an INVITE repeated with another branch as the first one.
func merging(t *testing.T, want bool) *user {
	var mu sync.Mutex
	var first *stack.ServerTransaction
	var kept []*stack.ServerTransaction

	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()

		for _, tx := range kept {
			if tx.Request() != nil {
				t.Error("the request of a transaction that was merged is kept")
			}
		}
	})

	relayed := relay(to("UDP", calleeAt))
	forward := relayed.request
	relayed.request = func(ctx context.Context, s *stack.Stack, tx *stack.ServerTransaction) {
		if !tx.Request().IsInvite() {
			forward(ctx, s, tx)
			return
		}
		mu.Lock()
		before := first
		if before == nil {
			first = tx
		}
		mu.Unlock()
		if before != nil {
			if got := before.Merge(tx); got != want {
				t.Errorf("merged: %t, want %t", got, want)
			}
			if want {
				mu.Lock()
				kept = append(kept, tx)
				mu.Unlock()

				return
			}
		}
		forward(ctx, s, tx)
	}

	return relayed
}

// branches returns the branches of the responses that are there, with their status.
func (p *peer) branches() (all []string) {
	for raw := p.already(); raw != nil; raw = p.already() {
		m, err := sip.ParseMessage(raw)
		if err != nil {
			p.t.Fatal(err)
		}
		r := m.(*sip.Response)
		branch, _ := r.Via().Params.Get("branch")
		if len(r.GetHeaders("Via")) != 1 {
			p.t.Errorf("Via of somebody else in\n%s", r)
		}
		all = append(all, strings.TrimPrefix(branch, "z9hG4bK")+" "+sip.Phrase(r.StatusCode))
	}
	slices.Sort(all)

	return all
}

// TestMerge: an INVITE repeated with another branch, because the element before this proxy was restarted, is no second call: its sender
// gets the responses to the first (RFC 3261 §8.2.2.2).
func TestMerge(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(callee *peer, proxy *node, caller *peer, invite *sip.Request)
		want []string
	}{
		{"answered, and the answer repeated", func(callee *peer, proxy *node, _ *peer, invite *sip.Request) {
			ok := callee.answer(proxy, invite, 200)
			synctest.Wait()
			callee.send(proxy, ok.String())
		}, []string{"1 OK", "1 OK", "2 OK", "2 OK"}},
		{"declined", func(callee *peer, proxy *node, _ *peer, invite *sip.Request) {
			callee.answer(proxy, invite, 486)
		}, []string{"1 Busy Here", "2 Busy Here"}},
		{"cancelled", func(callee *peer, proxy *node, caller *peer, invite *sip.Request) {
			caller.send(proxy, strings.Replace(caller.text("CANCEL", "sip:b@example", "2"), "Call-ID: 2", "Call-ID: 1", 1))
			callee.answer(proxy, callee.request("CANCEL"), 200)
			callee.answer(proxy, invite, 487)
		}, []string{"1 Request Terminated", "2 OK", "2 Request Terminated"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				callee, caller := n.peer(t, calleeAt), n.peer(t, callerAt)
				proxy := n.stack(t, proxyAt, merging(t, true))

				caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
				invite := callee.request("INVITE")
				callee.answer(proxy, invite, 180)
				if got, want := caller.branches(), []string{"1 Ringing"}; !slices.Equal(got, want) {
					t.Errorf("%q, want %q", got, want)
				}

				again := strings.Replace(caller.text("INVITE", "sip:b@example", "2"), "Call-ID: 2", "Call-ID: 1", 1)
				caller.send(proxy, again)
				if got, want := caller.branches(), []string{"2 Ringing"}; !slices.Equal(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
				caller.send(proxy, again) // and is a transaction like any other
				if got, want := caller.branches(), []string{"2 Ringing"}; !slices.Equal(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
				callee.nothing(0)

				test.end(callee, proxy, caller, invite)
				if got := caller.branches(); !slices.Equal(got, test.want) {
					t.Errorf("%q, want %q", got, test.want)
				}
			})
		})
	}

	t.Run("many times: few hear of it, the oldest gets 408", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			callee, caller := n.peer(t, calleeAt), n.peer(t, callerAt)
			proxy := n.stack(t, proxyAt, merging(t, true))
			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			invite := callee.request("INVITE")
			for _, branch := range []string{"2", "3", "4", "5", "6", "7"} {
				caller.send(proxy, strings.Replace(caller.text("INVITE", "sip:b@example", branch), "Call-ID: "+branch, "Call-ID: 1", 1))
				synctest.Wait()
			}
			if got, want := caller.branches(), []string{"2 Request Timeout", "3 Request Timeout"}; !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			callee.answer(proxy, invite, 180)
			if got, want := caller.branches(), []string{"1 Ringing", "4 Ringing", "5 Ringing", "6 Ringing", "7 Ringing"}; !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	})

	t.Run("cancelled before it is merged", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			callee, caller := n.peer(t, calleeAt), n.peer(t, callerAt)
			late := merging(t, true)
			merge := late.request
			late.request = func(ctx context.Context, s *stack.Stack, tx *stack.ServerTransaction) {
				if branch, _ := tx.Request().Via().Params.Get("branch"); tx.Request().IsInvite() && strings.HasSuffix(branch, "2") {
					<-tx.Cancelled()
				}
				merge(ctx, s, tx)
			}
			proxy := n.stack(t, proxyAt, late)
			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			callee.answer(proxy, callee.request("INVITE"), 180)
			caller.send(proxy, strings.Replace(caller.text("INVITE", "sip:b@example", "2"), "Call-ID: 2", "Call-ID: 1", 1))
			caller.send(proxy, strings.Replace(caller.text("CANCEL", "sip:b@example", "2"), "Call-ID: 2", "Call-ID: 1", 1))
			callee.request("CANCEL")
		})
	})

	t.Run("answered before: the answer comes again by itself", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			callee, caller := n.peer(t, calleeAt), n.peer(t, callerAt)
			proxy := n.stack(t, proxyAt, merging(t, true))
			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			ok := callee.answer(proxy, callee.request("INVITE"), 200)
			caller.branches()
			caller.send(proxy, strings.Replace(caller.text("INVITE", "sip:b@example", "2"), "Call-ID: 2", "Call-ID: 1", 1))
			caller.branches()
			callee.send(proxy, ok.String())
			if got, want := caller.branches(), []string{"1 OK", "2 OK"}; !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	})

	t.Run("answered before, and the answer does not come again: 408, for nothing is kept without end", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			callee, caller := n.peer(t, calleeAt), n.peer(t, callerAt)
			proxy := n.stack(t, proxyAt, merging(t, true))
			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			callee.answer(proxy, callee.request("INVITE"), 200)
			caller.branches()
			caller.send(proxy, strings.Replace(caller.text("INVITE", "sip:b@example", "2"), "Call-ID: 2", "Call-ID: 1", 1))
			time.Sleep(31 * time.Second)
			if got, want := caller.branches(), []string{"2 Trying"}; !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			time.Sleep(2 * time.Second)
			if got := caller.branches(); len(got) == 0 || got[0] != "2 Request Timeout" {
				t.Errorf("%q, want 408", got)
			}
		})
	})

	t.Run("the first has failed: the second is on its own", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			callee, caller := n.peer(t, calleeAt), n.peer(t, callerAt)
			proxy := n.stack(t, proxyAt, merging(t, false))
			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			callee.answer(proxy, callee.request("INVITE"), 486)
			callee.request("ACK")
			caller.branches()
			caller.send(proxy, strings.Replace(caller.text("INVITE", "sip:b@example", "2"), "Call-ID: 2", "Call-ID: 1", 1))
			callee.request("INVITE")
		})
	})
}
