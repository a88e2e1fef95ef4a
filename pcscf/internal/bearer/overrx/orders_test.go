package overrx_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
)

// The PCRF ends the session: the leg is told, and the PCRF gets ASA and STR (TS 29.214 §4.4.6.1).
func TestAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t)
		defer d.end()

		if err := d.need(d.leg(), needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}

		id := d.bearers.Sessions()[0].Session
		for i, want := range []diameter.Result{rx.Success, rx.UnknownSessionID} {
			got, err := d.pcrf.Abort(t.Context(), id, rx.InsufficientBearerResources)
			if err != nil || got != want {
				t.Errorf("ASA %d: %v, %v; want %v", i, got, err, want)
			}
			time.Sleep(time.Second)
		}

		d.none()

		if lost := d.losses(); len(lost) != 1 || !lost[0].All || lost[0].Why != "INSUFFICIENT_BEARER_RESOURCES" {
			t.Errorf("%+v", lost)
		}
	})
}

// The PCRF reports lost bearers, and events that are no loss.
func TestLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t)
		defer d.end()

		leg := d.leg()
		if err := d.need(leg, needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}

		id := d.bearers.Sessions()[0].Session
		for _, test := range []struct {
			session string
			action  rx.SpecificAction
			want    diameter.Result
		}{
			{id, rx.IPCANChange, rx.Success},
			{id, rx.LossOfBearer, rx.Success},
			{"nobody's", rx.LossOfBearer, rx.UnknownSessionID},
			{"nobody's", rx.IPCANChange, rx.UnknownSessionID},
		} {
			got, err := d.pcrf.Tell(t.Context(), test.session, test.action, rx.Flows{Component: 1, FlowNumbers: []uint32{1}})
			if err != nil || got != test.want {
				t.Errorf("%s %d: %v, %v; want %v", test.session, test.action, got, err, test.want)
			}
		}

		synctest.Wait()
		if lost := d.losses(); len(lost) != 1 || lost[0].All || !slices.Equal(lost[0].Components, []uint32{1}) {
			t.Errorf("%+v", lost)
		}

		leg.End()
		synctest.Wait()
		d.none()
	})
}

// Whatever a session was doing when the P-CSCF was killed, it is ended at the PCRF after the restart.
func TestRestart(t *testing.T) {
	for name, before := range map[string]func(d *desk, leg *bearer.CallLeg){
		"in mid-call": func(d *desk, leg *bearer.CallLeg) { _ = d.need(leg, needs(d.t, offered, answered)) },
		"within the first request": func(d *desk, leg *bearer.CallLeg) {
			d.pcrf.Decide(func(ctx context.Context, _ *rx.AAR) error {
				time.Sleep(4 * time.Second)
				return nil
			})
			_ = d.need(leg, needs(d.t, offered, answered))
		},
		"within a change": func(d *desk, leg *bearer.CallLeg) {
			_ = d.need(leg, needs(d.t, offered, answered))
			d.pcrf.Decide(func(ctx context.Context, _ *rx.AAR) error {
				time.Sleep(4 * time.Second)
				return nil
			})
			_ = d.need(leg, needs(d.t, offered+"a=inactive\r\n", answered))
		},
		"while its end was owed": func(d *desk, leg *bearer.CallLeg) {
			_ = d.need(leg, needs(d.t, offered, answered))
			open := d.pcrf.Sessions()
			d.stopPCRF()
			time.Sleep(time.Second)
			leg.End()
			time.Sleep(time.Second)
			d.startPCRF()
			if len(open) != 1 || len(d.bearers.Sessions()) != 1 {
				d.t.Errorf("%v %v", open, d.bearers.Sessions())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := start(t)
				defer func() { d.end() }()

				before(d, d.leg())
				d.stop()
				d.pcrf.Decide(nil)
				d.startPCSCF()
				time.Sleep(5 * time.Second)
				d.none()

				if kinds := d.kinds(); !strings.HasPrefix(kinds[len(kinds)-1], "STR") {
					t.Errorf("%q", kinds)
				}
			})
		})
	}
}

// A PCRF that is away when a call ends is told of the end when it is back.
func TestEndIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t)
		defer func() { d.end() }()

		leg := d.leg()
		if err := d.need(leg, needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}

		d.stopPCRF()
		time.Sleep(time.Second)
		leg.End()
		time.Sleep(time.Minute)
		d.startPCRF()
		time.Sleep(5 * time.Minute)

		d.none()

		if got := d.kinds(); !slices.Equal(got, []string{"STR 5002"}) {
			t.Errorf("%q", got)
		}
	})
}
