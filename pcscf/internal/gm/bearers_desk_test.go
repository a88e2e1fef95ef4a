package gm

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// accessNetwork is an access network that a test controls.
type accessNetwork struct {
	sessions *bearer.Bearers
	decide   func(q *bearer.Request) error // nil grants at once

	mu    sync.Mutex
	ids   int
	asked []*bearer.Request
	ended []string
}

func (a *accessNetwork) NewID() string {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.ids++

	return fmt.Sprintf("s%d", a.ids)
}

func (a *accessNetwork) Ask(_ context.Context, q *bearer.Request) (*bearer.Grant, error) {
	a.mu.Lock()
	a.asked = append(a.asked, q)
	decide := a.decide
	a.mu.Unlock()

	if decide != nil {
		if err := decide(q); err != nil {
			return nil, err
		}
	}

	return &bearer.Grant{Handle: q.Handle}, nil
}

func (a *accessNetwork) End(_ context.Context, h bearer.Handle) error {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.ended = append(a.ended, h.ID)

	return nil
}

// said returns the requests and ends in words: "ask s1 1 AUDIO ENABLED in 192.0.2.7:40000 out 10.0.0.1:50000".
func (a *accessNetwork) said() (lines []string) {
	synctest.Wait()

	a.mu.Lock()
	defer a.mu.Unlock()

	for _, q := range a.asked {
		line := "ask " + q.ID
		if q.Update {
			line = "change " + q.ID
		}
		if q.Leg.Forked {
			line += " forked"
		}

		for _, c := range q.Components {
			line += fmt.Sprintf(" %d %s %s", c.Number, c.Kind, c.Status)
			for _, f := range c.Flows[:min(1, len(c.Flows))] {
				if f.Signalling {
					continue
				}

				line += fmt.Sprintf(" in %s:%d out %s:%d", f.Uplink.To.Address.Addr(), f.Uplink.To.First,
					f.Downlink.To.Address.Addr(), f.Downlink.To.First)
			}
		}

		lines = append(lines, line)
	}

	for _, id := range a.ended {
		lines = append(lines, "end "+id)
	}

	return lines
}

func (a *accessNetwork) want(t *testing.T, want ...string) {
	t.Helper()

	if got := a.said(); !slices.Equal(got, want) {
		t.Errorf("the access network heard\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// none expects that nothing is left there.
func (a *accessNetwork) none(t *testing.T) {
	t.Helper()
	synctest.Wait()

	for _, s := range a.sessions.Sessions() {
		t.Errorf("session %s is left: %s", s.Session, s.State)
	}
}

func withBearers(t *testing.T, required bool, test func(t *testing.T, d *desk, a *accessNetwork)) {
	t.Helper()

	c := BearerConfig{Policy: BestEffort}
	if required {
		c.Policy = Required
	}

	withBearersBy(t, c, test)
}

func withBearersBy(t *testing.T, c BearerConfig, test func(t *testing.T, d *desk, a *accessNetwork)) {
	t.Helper()

	a := &accessNetwork{}
	c.Patience, c.Kinds = 3*time.Second, []media.Kind{media.Audio, media.Video}

	withDesk(t, func(_ *Config, o *Options) {
		a.sessions = bearer.New(a, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		o.Bearers = NewBearers(a.sessions, c)
	}, func(t *testing.T, d *desk) {
		d.register()
		synctest.Wait()
		test(t, d, a)
		synctest.Wait()

		if err := a.sessions.Close(); err != nil {
			t.Error(err)
		}
	})
}

const (
	own  = "c=IN IP4 10.0.0.1\r\nm=audio 50000 RTP/AVP 0\r\n"
	hers = "c=IN IP4 198.51.100.7\r\nm=audio 40000 RTP/AVP 0\r\n"

	needsAudio = "1 AUDIO ENABLED in 198.51.100.7:40000 out 10.0.0.1:50000"
)

const sdp = "Content-Type: application/sdp"

// describe answers a request with a session description.
func describe(p *memory.Peer, r *sip.Request, status int, body string, lines ...string) {
	response := sip.NewResponse(r, status, "")

	for _, line := range append(lines, sdp) {
		name, value, _ := strings.Cut(line, ":")
		sip.Set(response, name, strings.TrimSpace(value))
	}

	response.SetBody([]byte(body))

	via := r.Via()
	p.Raw(fmt.Sprintf("%s:%d", via.Host, via.Port), response.String())
}

// bobs returns the header fields of bob's responses, in his dialog with this tag.
func bobs(invite *sip.Request, tag string) []string {
	return []string{
		"Record-Route: <sip:term@192.0.2.4:5060;lr>, <sip:orig@192.0.2.3:5060;lr>, " + strings.Join(sip.Values(invite, "Record-Route"), ", "),
		"To: <" + bob + ">;tag=" + tag, "Contact: <sip:bob@198.51.100.7>",
	}
}

// inviteVia is the Via of an INVITE that is cancelled.
const inviteVia = "Via: SIP/2.0/UDP " + aliceAt + ";rport;branch=z9hG4bKinvite"

// cancel sends a CANCEL for an INVITE.
func (d *desk) cancel(invite *sip.Request) {
	d.t.Helper()
	d.send("CANCEL", bob, "Call-ID: "+invite.CallID().Value(), "CSeq: "+strconv.Itoa(int(invite.CSeq().SeqNo))+" CANCEL", inviteVia)
	d.scscf.Answer(d.scscf.Request("CANCEL"), 200)
}

// invite sends alice's call to bob.
func (d *desk) invite(lines ...string) *sip.Request {
	d.t.Helper()
	d.send("INVITE", bob, lines...)

	return d.scscf.Request("INVITE")
}

// routesOf returns the Route lines of a dialog, from a response to alice.
func (d *desk) routesOf(response *sip.Response) (routes []string) {
	d.t.Helper()

	all, err := sip.RecordRoutes(response)
	if err != nil {
		d.t.Fatal(err)
	}

	for i := len(all) - 1; i >= 0; i-- {
		routes = append(routes, "Route: "+all[i].String())
	}

	return routes
}
