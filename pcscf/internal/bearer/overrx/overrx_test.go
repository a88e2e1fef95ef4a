package overrx_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/policy"
)

// A call requests bearers at its answer, again when it is held, and releases them.
func TestCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t)
		defer d.end()

		leg := d.leg()
		if err := d.need(leg, needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}

		open := d.bearers.Sessions()
		if len(open) != 1 || open[0].Server != "pcrf.epc" || open[0].Access != "3GPP-EPS EUTRAN" || open[0].State != bearer.Granted {
			t.Fatalf("%+v", open)
		}

		q := d.pcrf.Sessions()[open[0].Session]
		if q == nil || len(q.MediaComponents) != 1 || len(q.MediaComponents[0].SubComponents) != 2 {
			t.Fatalf("%+v", q)
		}

		want := []string{"permit out 17 from 198.51.100.7 to 10.45.0.2 50000", "permit in 17 from 10.45.0.2 to 198.51.100.7 40000"}
		if got := q.MediaComponents[0].SubComponents[0].FlowDescriptions; !slices.Equal(got, want) {
			t.Errorf("flows %q, want %q", got, want)
		}

		if err := d.need(leg, needs(t, offered+"a=sendonly\r\n", answered+"a=recvonly\r\n")); err != nil {
			t.Fatal(err)
		}

		q = d.pcrf.Sessions()[open[0].Session]
		c := q.MediaComponents[0]
		if *c.FlowStatus != rx.EnabledUplink || *c.SubComponents[1].FlowStatus != rx.Enabled || *q.RequestType != rx.Update {
			t.Errorf("on hold: %+v", c)
		}

		leg.End()
		leg.End()
		synctest.Wait()
		d.none()

		if got := d.kinds(); !slices.Equal(got, []string{"AAR 2001", "AAR 2001", "STR 2001"}) {
			t.Errorf("%q", got)
		}
		if err := d.need(leg, needs(t, offered, answered)); !errors.Is(err, bearer.ErrOver) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// A refusal of the PCRF is reported with what to check, and nothing is left of it.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		result diameter.Result
		words  string
	}{
		{rx.IPCANSessionNotAvailable, "5065 IP-CAN_SESSION_NOT_AVAILABLE: it has no PDN connection with the address 10.45.0.2: a NAT"},
		{rx.ServiceNotAuthorized, "5063 REQUESTED_SERVICE_NOT_AUTHORIZED: the subscriber's APN"},
		{rx.FilterRestrictions, "5062 FILTER_RESTRICTIONS"},
		{diameter.Result{Vendor: 10415, Code: 5004}, "5004 DIAMETER_INVALID_AVP_VALUE"},
		{diameter.Result{Vendor: 10415, Code: 3010}, "3010 DIAMETER_UNKNOWN_PEER: it has no PDN connection"},
		{rx.UnknownSessionID, "5002 DIAMETER_UNKNOWN_SESSION_ID"},
		{rx.UnableToComply, "5012 DIAMETER_UNABLE_TO_COMPLY"},
		{diameter.TooBusy, "3004 DIAMETER_TOO_BUSY"},
	} {
		t.Run(test.words, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := start(t)
				defer d.end()

				d.pcrf.Decide(func(context.Context, *rx.AAR) error { return test.result })

				leg := d.leg()

				refusal, ok := errors.AsType[*bearer.Refusal](d.need(leg, needs(t, offered, answered)))
				if !ok || refusal.Code != test.result.Code || !strings.Contains(refusal.Why, test.words) {
					t.Fatalf("%+v, want %s", refusal, test.words)
				}

				leg.End()
				synctest.Wait()
				d.none()

				if kinds := d.kinds(); slices.ContainsFunc(kinds, func(k string) bool { return strings.HasPrefix(k, "STR") }) {
					t.Errorf("an STR for a session that there never was: %q", kinds)
				}
			})
		})
	}
}

// An unreachable PCRF refuses nothing: it has not received the request.
func TestNoPCRF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t)
		d.stopPCRF()
		time.Sleep(time.Second)

		refusal, ok := errors.AsType[*bearer.Refusal](d.need(d.leg(), needs(t, offered, answered)))
		if !ok || !refusal.Undone {
			t.Errorf("%+v", refusal)
		}

		synctest.Wait()
		if left := d.bearers.Sessions(); len(left) != 0 {
			t.Errorf("%+v", left)
		}
		d.stop()
	})
}

// A silent PCRF may have granted: the session is ended after the time-out.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t)
		defer d.end()

		d.pcrf.Decide(func(ctx context.Context, _ *rx.AAR) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Second):
				return nil // and it grants after all, when nobody waits any more
			}
		})

		if err := d.need(d.leg(), needs(t, offered, answered)); !errors.Is(err, bearer.ErrLate) {
			t.Errorf("%v", err)
		}

		time.Sleep(10 * time.Second)
		if got := d.kinds(); !slices.Equal(got, []string{"STR 5002"}) {
			t.Errorf("%q", got)
		}
		if left := d.bearers.Sessions(); len(left) != 0 {
			t.Errorf("%+v", left)
		}
	})
}

// A refused change ends the session, since the PCRF may have forgotten it and kept its bearers; what the call had is requested anew in
// another session.
func TestRefusedChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t)
		defer d.end()

		leg := d.leg()
		if err := d.need(leg, needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}

		first := d.bearers.Sessions()[0].Session

		d.pcrf.Decide(func(_ context.Context, q *rx.AAR) error {
			if len(q.MediaComponents) > 1 {
				return rx.ServiceNotAuthorized
			}

			return nil
		})

		const video = "m=video 50002 RTP/AVP 34\r\n"
		if err := d.need(leg, needs(t, offered+video, answered+video)); err == nil {
			t.Error("granted")
		}

		synctest.Wait() // the STA of the first session, and the AAA of the next
		open := d.bearers.Sessions()
		if len(open) != 1 || open[0].Session == first {
			t.Fatalf("%+v", open)
		}

		if q := d.pcrf.Sessions()[open[0].Session]; q == nil || len(q.MediaComponents) != 1 {
			t.Errorf("%+v", q)
		}

		before := len(d.kinds())
		if err := d.need(leg, needs(t, offered, answered)); err != nil || len(d.kinds()) != before {
			t.Errorf("what it has is asked for again: %v, %q", err, d.kinds())
		}

		if lost := d.losses(); len(lost) != 0 {
			t.Errorf("%+v", lost)
		}

		leg.End()
		synctest.Wait()
		d.none()
	})
}

// A PCRF that was restarted does not know the session: another one replaces it at once.
func TestForgottenSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t)
		defer d.end()

		leg := d.leg()
		if err := d.need(leg, needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}

		first := d.bearers.Sessions()[0].Session
		d.pcrf.Forget(first)
		d.pcrf.Decide(func(_ context.Context, q *rx.AAR) error {
			if q.SessionID == first {
				return rx.UnknownSessionID
			}

			return nil
		})

		if err := d.need(leg, needs(t, offered+"a=inactive\r\n", answered)); err != nil {
			t.Fatal(err)
		}

		leg.End()
		synctest.Wait()
		d.none()
	})
}

// A request that the PCRF refuses for a time is repeated after it (Retry-Interval, TS 29.214 §5.3.39).
func TestRefusedForATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t)
		defer d.end()

		d.pcrf.Decide(func(context.Context, *rx.AAR) error { return policy.Later{Wait: time.Minute} })

		leg := d.leg()
		if err := d.need(leg, needs(t, offered, answered)); err == nil {
			t.Error("granted")
		}

		d.pcrf.Decide(nil)
		time.Sleep(59 * time.Second)
		if got := d.kinds(); len(got) != 1 {
			t.Errorf("%q", got)
		}

		time.Sleep(2 * time.Second)
		if open := d.bearers.Sessions(); len(open) != 1 || open[0].State != bearer.Granted {
			t.Errorf("%+v", open)
		}

		leg.End()
		synctest.Wait()
		d.none()

		if got := d.kinds(); !slices.Equal(got, []string{
			"AAR 4261", "AAR 2001", "STR 2001",
		}) {
			t.Errorf("%q", got)
		}
	})
}
