package handset_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const (
	incomingVia = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKincoming"

	here   = "192.0.2.101:5060"
	theirs = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
	qos    = "a=curr:qos local none\r\na=curr:qos remote none\r\na=des:qos mandatory local sendrecv\r\na=des:qos optional remote sendrecv\r\n"
)

// granting gives a bearer when it is told to.
type granting chan error

func (g granting) reserve(ctx context.Context) error {
	select {
	case err := <-g:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// within sends a request of the other side within the dialog of an incoming call.
func (c *caller) within(method string, answer *sip.Response, lines ...string) *sip.Response {
	c.t.Helper()

	c.pcscf.Send(here, append([]string{
		method + " sip:alice@192.0.2.101:5060 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=" + sip.NewBranch(), "Max-Forwards: 70",
		"From: " + sip.Value(answer, "From"), "To: " + sip.Value(answer, "To"), "Call-ID: " + sip.Value(answer, "Call-ID"),
	}, lines...)...)

	return c.pcscf.Response(200)
}

// RFC 3312 §11, TS 24.229 §5.1.3.1: a caller acknowledges the reliable answer, gets its bearer, and tells of it.
func TestCallerInsists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bearer := make(granting)
		c := newInsisting(t, bearer.reserve)
		defer c.Close()

		invite, cancel, result := c.dial()
		defer cancel()

		if !sip.HasToken(invite, "Supported", "100rel") || !sip.HasToken(invite, "Supported", "precondition") ||
			!strings.HasSuffix(string(invite.Body()), qos) {
			t.Errorf("%s", invite)
		}

		reliable := []string{
			"To: <tel:+15550002>;tag=b", "Contact: <sip:bob@192.0.2.1>", "Require: 100rel,precondition", "RSeq: 7", "Content-Type: application/sdp",
		}
		c.pcscf.Answer(invite, 183, reliable...)
		c.pcscf.Answer(invite, 183, reliable...) // once more; it is acknowledged once

		prack := c.pcscf.Request("PRACK")
		if got, want := sip.Value(prack, "RAck"), "7 1 INVITE"; got != want {
			t.Errorf("RAck %q, want %q", got, want)
		}
		c.pcscf.Answer(prack, 200)
		c.pcscf.Silent()

		bearer <- nil

		update := c.pcscf.Request("UPDATE")
		if !strings.Contains(string(update.Body()), "a=curr:qos local sendrecv\r\n") || update.CSeq().SeqNo != prack.CSeq().SeqNo+1 {
			t.Errorf("%s", update)
		}
		c.pcscf.Answer(update, 200)
		c.pcscf.Answer(invite, 180, "To: <tel:+15550002>;tag=b")
		c.pcscf.Answer(invite, 200, "To: <tel:+15550002>;tag=b", "Contact: <sip:bob@192.0.2.1>")
		c.pcscf.Request("ACK")

		d := <-result
		if d.err != nil {
			t.Fatal(d.err)
		}

		hungUp := make(chan error, 1)
		go func() { hungUp <- d.HangUp(t.Context()) }()

		bye := c.pcscf.Request("BYE")
		if bye.CSeq().SeqNo != update.CSeq().SeqNo+1 {
			t.Errorf("BYE has CSeq %d after %d", bye.CSeq().SeqNo, update.CSeq().SeqNo)
		}
		c.pcscf.Answer(bye, 200)
		if err := <-hungUp; err != nil {
			t.Error(err)
		}
	})

	t.Run("in vain", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			bearer := make(granting, 1)
			bearer <- errors.New("none is left")

			c := newInsisting(t, bearer.reserve)
			defer c.Close()

			invite, cancel, result := c.dial()
			defer cancel()

			c.pcscf.Answer(invite, 183, "To: <tel:+15550002>;tag=b", "Contact: <sip:bob@192.0.2.1>", "Require: 100rel", "RSeq: 1")
			c.pcscf.Answer(c.pcscf.Request("PRACK"), 200)
			c.pcscf.Answer(c.pcscf.Request("CANCEL"), 200)
			c.pcscf.Answer(invite, 487, "To: <tel:+15550002>;tag=b")
			c.pcscf.Request("ACK")

			if d := <-result; d.err == nil {
				t.Error("answered")
			}
			c.wantSaid("183", "no bearer: none is left")
		})
	})
}

// incoming sends a call with these options and descriptions, and returns the first response that is not 100.
func (c *caller) incoming(supported, description string) {
	c.t.Helper()
	c.pcscf.Send(here, "INVITE sip:alice@192.0.2.101:5060 SIP/2.0", "Via: "+incomingVia, "Max-Forwards: 70",
		"From: <tel:+15550002>;tag=b", "To: <tel:+15550001>", "Call-ID: incoming", "CSeq: 5 INVITE", "Contact: <sip:bob@192.0.2.1>",
		"Supported: "+supported, "Content-Type: application/sdp", "\n"+description)
}

// RFC 3262 §3, RFC 3312 §11, TS 24.229 §5.1.4.1: who is called answers reliably, and rings when both sides have their bearers.
func TestCalleeInsists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bearer := make(granting)
		c := newInsisting(t, bearer.reserve)
		defer c.Close()

		c.incoming("100rel, precondition", theirs+qos)

		progress := c.pcscf.Response(183)
		if !sip.HasToken(progress, "Require", "100rel") || sip.Value(progress, "RSeq") != "1" ||
			!strings.HasSuffix(string(progress.Body()), qos+"a=conf:qos remote sendrecv\r\n") {
			t.Errorf("%s", progress)
		}
		c.pcscf.Response(183) // until the PRACK comes

		c.within("PRACK", progress, "CSeq: 6 PRACK", "RAck: 1 5 INVITE")
		time.Sleep(time.Minute)
		c.pcscf.Silent()

		answer := c.within("UPDATE", progress, "CSeq: 7 UPDATE", "Contact: <sip:bob@192.0.2.1>", "Content-Type: application/sdp",
			"\n"+theirs+strings.Replace(qos, "local none", "local sendrecv", 1))
		if body := string(answer.Body()); !strings.Contains(body, "a=curr:qos local none\r\na=curr:qos remote sendrecv\r\n") {
			t.Errorf("%s", answer)
		}
		c.pcscf.Silent()

		bearer <- nil

		tag := func(r *sip.Response) string { tag, _ := r.To().Params.Get("tag"); return tag }
		if ringing := c.pcscf.Response(180); tag(ringing) != tag(progress) {
			t.Errorf("180 of another dialog: %s, after %s", ringing, progress)
		}

		taken := make(chan error, 1)
		go func() { taken <- (<-c.Incoming()).Answer(t.Context()) }()

		if final := c.pcscf.Response(200); tag(final) != tag(progress) || len(final.Body()) != 0 {
			t.Errorf("%s", final)
		}
		c.pcscf.Send(here, "ACK sip:alice@192.0.2.101:5060 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKack", "Max-Forwards: 70",
			"From: "+sip.Value(progress, "From"), "To: "+sip.Value(progress, "To"), "Call-ID: incoming", "CSeq: 5 ACK")
		if err := <-taken; err != nil {
			t.Error(err)
		}
	})

	t.Run("without the caller", func(t *testing.T) {
		for supported, description := range map[string]string{
			"100rel": theirs + qos, "precondition": theirs + qos, "100rel, precondition": theirs,
		} {
			synctest.Test(t, func(t *testing.T) {
				c := newInsisting(t, make(granting).reserve)
				defer c.Close()

				c.incoming(supported, description)
				c.pcscf.Response(180)
			})
		}
	})

	for name, test := range map[string]struct {
		do   func(c *caller, progress *sip.Response, bearer granting)
		want int
	}{
		"no bearer": {func(_ *caller, _ *sip.Response, bearer granting) { bearer <- errors.New("none is left") }, 580},
		"cancelled": {func(c *caller, _ *sip.Response, _ granting) {
			c.pcscf.Send(here, "CANCEL sip:alice@192.0.2.101:5060 SIP/2.0", "Via: "+incomingVia, "Max-Forwards: 70",
				"From: <tel:+15550002>;tag=b", "To: <tel:+15550001>", "Call-ID: incoming", "CSeq: 5 CANCEL")
			c.pcscf.Response(200)
		}, 487},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bearer := make(granting)
				c := newInsisting(t, bearer.reserve)
				defer c.Close()

				c.incoming("100rel, precondition", theirs+qos)
				progress := c.pcscf.Response(183)
				c.within("PRACK", progress, "CSeq: 6 PRACK", "RAck: 1 5 INVITE")
				test.do(c, progress, bearer)
				c.pcscf.Response(test.want)
			})
		})
	}

	t.Run("no PRACK", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newInsisting(t, make(granting).reserve)
			defer c.Close()

			c.incoming("100rel, precondition", theirs+qos)
			progress := c.pcscf.Response(183)
			c.pcscf.Send(here, "PRACK sip:alice@192.0.2.101:5060 SIP/2.0", "Via: "+incomingVia+"2", "Max-Forwards: 70",
				"From: "+sip.Value(progress, "From"), "To: "+sip.Value(progress, "To"), "Call-ID: incoming", "CSeq: 6 PRACK", "RAck: 2 5 INVITE")
			c.pcscf.Response(481)
			time.Sleep(time.Minute)

			all := c.pcscf.All()
			if last, ok := all[len(all)-1].(*sip.Response); !ok || last.StatusCode != 504 {
				t.Errorf("it ends with %s", all[len(all)-1])
			}
		})
	})
}
