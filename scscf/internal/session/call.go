package session

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
)

var errTooMany = errors.New("the S-CSCF is in as many calls as it can be")

// call is one side of a call that this S-CSCF is in the route of, from the INVITE to the BYE.
type call struct {
	server *Server
	token  string // its Record-Route entry
	side   side
	public string
	invite *sip.Request // as it came; until the answer
	charge *charging.Session

	mu     sync.Mutex
	dialog *sip.ProxyDialog
	ended  bool
	expiry *time.Timer // of the session timer (RFC 4028), or of the longest call there may be
	length time.Duration
}

const (
	longestCall = 24 * time.Hour
	lateRefresh = 32 * time.Second // RFC 4028 §10: how much before the end a refresh must be there, seen from the middle
)

func (s *Server) newCall(invite *sip.Request, sv *served) (*call, error) {
	c := &call{server: s, token: "call-" + rand.Text(), side: sv.side, public: sv.public, invite: invite}

	s.mu.Lock()
	defer s.mu.Unlock()

	if len(s.calls) >= maxCalls {
		return nil, errTooMany
	}

	s.calls[c.token] = c

	return c, nil
}

func (s *Server) forget(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()

	delete(s.calls, c.token)
}

func (s *Server) find(token string) *call {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.calls[token]
}

// answered makes the dialog of the first 2xx and begins the count.
func (c *call) answered(r *sip.Response, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.dialog != nil || c.ended {
		return
	}

	dialog, err := sip.WatchDialog(c.invite, r, func(record sip.NameAddr) bool {
		u, err := sip.ParseURI(record.URI)
		return err == nil && u.User == c.token
	})
	if err != nil {
		c.server.Log.Warn("the call cannot be released from here if its credit ends", "user", c.public, "error", err)
	}

	c.dialog, c.invite = dialog, nil
	c.length = longestCall

	interval, _, _ := strings.Cut(sip.Value(r, "Session-Expires"), ";")
	if seconds := sip.Seconds(interval, 0); seconds > 0 {
		c.length = time.Duration(seconds)*time.Second + lateRefresh
	}

	c.expiry = time.AfterFunc(c.length, func() { c.release("nobody refreshed the session") })

	if c.charge != nil {
		c.charge.Answered(at)
	}
}

// end settles a call whose BYE came, or that was never answered.
func (s *Server) end(c *call) {
	c.mu.Lock()
	ended := c.ended
	c.ended = true

	if c.expiry != nil {
		c.expiry.Stop()
	}
	c.mu.Unlock()

	s.forget(c)

	if !ended && c.charge != nil {
		c.charge.End()
	}
}

// release ends the call on both sides (TS 24.229 §5.4.5.1.2): each party gets a BYE in the name of the other.
func (c *call) release(why string) {
	s := c.server

	c.mu.Lock()
	dialog, ended := c.dialog, c.ended
	c.mu.Unlock()

	if ended {
		return
	}

	s.Log.Info("call released by the S-CSCF", "user", c.public, "reason", why)
	s.outcomes.WithLabelValues(c.side.String(), "BYE", "released").Inc()

	ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
	defer cancel()

	var group sync.WaitGroup

	if dialog != nil {
		for _, to := range []sip.Side{sip.Caller, sip.Callee} {
			group.Go(func() { s.bye(ctx, dialog, to, why) })
		}
	}

	s.end(c)
	group.Wait()
}

const releaseTime = 40 * time.Second // more than the timers of a BYE

func (s *Server) bye(ctx context.Context, dialog *sip.ProxyDialog, to sip.Side, why string) {
	bye, err := dialog.Request(to, "BYE")
	if err != nil {
		s.Log.Error("BYE cannot be made", "call", dialog.CallID, "error", err)
		return
	}

	sip.Set(bye, "Reason", sipReason(402, why))

	response, err := s.Stack.Do(ctx, bye, sip.Destination{Endpoint: s.Endpoint})
	if err != nil || !response.IsSuccess() && response.StatusCode != 481 {
		s.Log.Warn("BYE was not taken", "call", dialog.CallID, "response", response, "error", err)
	}
}

// withinDialog is TS 24.229 §5.4.3.2 and §5.4.3.3 for requests within a dialog: they follow their Route.
func (s *Server) withinDialog(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request, own []sip.NameAddr) {
	if len(own) == 0 && !sip.Has(out, "Route") && s.Stack.Own(out.Recipient) {
		s.refuse(tx, "dialog", 481, sipReason(481, "no such dialog here"))
		return
	}

	for _, route := range own {
		u, err := sip.ParseURI(route.URI)
		if err != nil {
			continue
		}

		c := s.find(u.User)
		if c == nil {
			continue
		}

		c.mu.Lock()
		if c.dialog != nil {
			c.dialog.Observe(out)
		}

		if c.expiry != nil && !c.ended && (out.IsInvite() || out.Method == "UPDATE") {
			c.expiry.Reset(c.length)
		}
		c.mu.Unlock()

		if out.Method == "BYE" {
			defer s.end(c) // when its response has gone back: whoever hung up does not wait for the OCS
		}
	}

	s.Stack.Forward(ctx, tx, sip.Plan{Groups: [][]sip.Branch{{{Request: out}}}})
}
