package app

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// TS 24.229 §7.7, table 7.7.1: towards handsets T1 is 2 s, T2 16 s and T4 17 s, so that timers B and F are 128 s; towards the core they
// are RFC 3261's. An endpoint may have its own.
func TestTimersTowardsHandsets(t *testing.T) {
	own := stack.EndpointTimers{T1: time.Second, T2: 2 * time.Second, T4: 3 * time.Second}

	tests := []struct {
		endpoint string
		sent     []float64 // seconds at which a MESSAGE is sent that nobody answers
		over     time.Duration
	}{
		{"Gm", []float64{0, 2, 6, 14, 30, 46, 62, 78, 94, 110, 126}, 128 * time.Second},
		{"Gm/6110", []float64{0, 2, 6, 14, 30, 46, 62, 78, 94, 110, 126}, 128 * time.Second},
		{"second", []float64{0, 2, 6, 14, 30, 46, 62, 78, 94, 110, 126}, 128 * time.Second},
		{"own", []float64{0, 1, 3}, 64 * time.Second},
		{"own/6110", []float64{0, 1, 3}, 64 * time.Second},
		{mw, []float64{0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5}, 32 * time.Second},
	}

	for _, test := range tests {
		t.Run(test.endpoint, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := Default()
				c.SIP.Endpoints[0].Address = "192.0.2.1:5060"
				c.SIP.Endpoints = append(c.SIP.Endpoints,
					stack.EndpointConfig{Name: "second", Address: "192.0.2.2:5060", Transports: []string{"udp"}},
					stack.EndpointConfig{Name: "own", Address: "192.0.2.3:5060", Transports: []string{"udp"}, Timers: own})

				var protected []stack.EndpointConfig
				for _, e := range c.SIP.Endpoints {
					if e.Name == "Gm" || e.Name == "own" {
						protected = append(protected, c.IPsec.Protected(e)...)
					}
				}

				network := memory.New()
				handset := network.Peer(t, "10.0.0.1:5060")

				sipStack, err := stack.New(c.bound(protected), nil, stack.Options{Network: network})
				if err != nil {
					t.Fatal(err)
				}

				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- sipStack.Run(ctx) }()
				defer func() {
					stop()
					if err := <-done; err != nil {
						t.Error(err)
					}
				}()

				r, err := sip.NewRequest("MESSAGE", "sip:alice@10.0.0.1")
				if err != nil {
					t.Fatal(err)
				}
				if r, err = sip.Complete(r, "<sip:a@ims.example>;tag=1", "<sip:b@ims.example>", "1", 1); err != nil {
					t.Fatal(err)
				}

				begin := time.Now()
				tx, err := sipStack.Send(t.Context(), r, stack.Destination{
					Endpoint: sipStack.Endpoint(test.endpoint),
					Targets:  []stack.Target{{Transport: "UDP", Addr: netip.MustParseAddrPort("10.0.0.1:5060")}},
				})
				if err != nil {
					t.Fatal(err)
				}

				for _, at := range test.sent {
					if raw := handset.Octets(time.Hour); !strings.HasPrefix(string(raw), "MESSAGE") || time.Since(begin).Seconds() != at {
						t.Fatalf("%q after %v, want a MESSAGE after %g s", raw, time.Since(begin), at)
					}
				}

				for handset.Octets(time.Until(begin.Add(test.over))) != nil {
				}
				for range tx.Responses() { // until it is over
				}
				if d := time.Since(begin); d != test.over {
					t.Errorf("given up after %v, want %v", d, test.over)
				}
			})
		})
	}
}
