package overrx_test

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
)

var signalling = bearer.Leg{UE: netip.MustParseAddr("10.45.0.2"), Identity: "sip:user@ims", Signalling: "token"}

func (d *desk) lose(l bearer.Loss) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.lost = append(d.lost, l)
}

// The session for the signalling of a registration names the flow and no bearer (TS 29.214 §4.4.5). With it the PCRF reports the loss, and
// a change of access network.
func TestSignalling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t)
		defer d.end()

		leg := d.bearers.Leg(signalling, d.lose)
		if err := d.need(leg, media.Signalling()); err != nil {
			t.Fatal(err)
		}

		id := d.bearers.Sessions()[0].Session
		q := d.pcrf.Sessions()[id]

		if want := []rx.SpecificAction{rx.LossOfBearer, rx.ReleaseOfBearer, rx.IPCANChange}; !slices.Equal(q.SpecificActions, want) {
			t.Errorf("Specific-Actions %v, want %v", q.SpecificActions, want)
		}
		if ue, err := q.UE(); err != nil || ue.Addr() != signalling.UE || q.ServiceInfoStatus != nil || len(q.MediaComponents) != 1 {
			t.Fatalf("%+v", q)
		}

		c := q.MediaComponents[0]
		if c.Number != 0 || c.MediaType == nil || *c.MediaType != rx.Control || len(c.SubComponents) != 1 {
			t.Fatalf("%+v", c)
		}
		if s := c.SubComponents[0]; s.FlowNumber != 0 || s.FlowUsage != rx.AFSignalling || len(s.FlowDescriptions) != 0 {
			t.Errorf("%+v", s)
		}

		if result, err := d.pcrf.Moved(t.Context(), id, rx.FiveGS, rx.NR); err != nil || result != rx.Success {
			t.Errorf("RAA: %v %v", result, err)
		}
		if access := d.bearers.Sessions()[0].Access; access != "3GPP-5GS NR" {
			t.Errorf("access %q", access)
		}

		for _, action := range []rx.SpecificAction{rx.LossOfBearer, rx.ReleaseOfBearer} {
			if result, err := d.pcrf.Tell(t.Context(), id, action); err != nil || result != rx.Success {
				t.Errorf("RAA: %v %v", result, err)
			}
		}
		synctest.Wait()
		if lost := d.losses(); len(lost) != 2 || lost[0].All || lost[0].Late {
			t.Errorf("%+v", lost)
		}

		if err := d.need(leg, media.Signalling()); err != nil || len(d.kinds()) != 1 {
			t.Errorf("asked again: %v, %q", err, d.kinds())
		}

		leg.End()
		synctest.Wait()
		d.none()
	})
}

// A session of signalling outlives the P-CSCF with its registration, and ends if that does not exist any more.
func TestSignallingOverARestart(t *testing.T) {
	for name, test := range map[string]struct {
		now  *bearer.Leg
		want []string
	}{
		"registered still": {&signalling, []string{"AAR 2001"}},
		"at another address": {
			&bearer.Leg{UE: netip.MustParseAddr("10.45.0.3"), Signalling: "token"},
			[]string{"AAR 2001", "STR 2001"},
		},
		"gone": {nil, []string{"AAR 2001", "STR 2001"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := start(t)
				defer func() { d.end() }()

				if err := d.need(d.bearers.Leg(signalling, d.lose), media.Signalling()); err != nil {
					t.Fatal(err)
				}

				id := d.bearers.Sessions()[0].Session

				var (
					leg     *bearer.CallLeg
					adopted bool
				)
				d.stop()
				d.restored = func(b *bearer.Bearers) {
					if test.now != nil {
						leg, adopted = b.Adopt(*test.now, d.lose)
					}
				}
				d.startPCSCF()
				time.Sleep(5 * time.Second)

				if got := d.kinds(); !slices.Equal(got, test.want) || adopted != (test.now == &signalling) {
					t.Errorf("adopted %t; the PCRF heard %q, want %q", adopted, got, test.want)
				}
				if !adopted {
					d.none()
					return
				}

				if err := d.need(leg, media.Signalling()); err != nil || len(d.kinds()) != 1 {
					t.Errorf("asked again: %v, %q", err, d.kinds())
				}
				if result, err := d.pcrf.Abort(t.Context(), id, rx.BearerReleased); err != nil || result != rx.Success {
					t.Errorf("ASA: %v %v", result, err)
				}
				synctest.Wait()
				if lost := d.losses(); len(lost) != 1 || !lost[0].All {
					t.Errorf("%+v", lost)
				}
				d.none()
			})
		})
	}
}
