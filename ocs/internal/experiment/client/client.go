// Package client is a network function that charges (RFC 8506 §7): sessions with quotas, thresholds and validity times, events, what to do
// without an answer, requests of the OCS. It talks to the OCS over real Ro, by way of a network that may be bad.
package client

import (
	"maps"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/results"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/timeline"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// Client is the network function. All of it runs in the events of a timeline.
type Client struct {
	timeline *timeline.Timeline
	policy   *scenario.Client
	link     *Link
	price    func(w *Wanted, begun time.Time, used []rating.Part) int64
	ended    func(s *results.Session, begun time.Time, noCredit bool)
	answered func(took time.Duration)
	sessions map[string]*session
}

// Options are what a Client needs.
type Options struct {
	Timeline *timeline.Timeline
	Policy   *scenario.Client
	Link     *Link
	Price    func(w *Wanted, begun time.Time, used []rating.Part) int64 // what a session's use costs
	Ended    func(s *results.Session, begun time.Time, noCredit bool)   // called when a session has ended
	Answered func(took time.Duration)                                   // called with the time that an answer took
}

// New returns a network function without sessions.
func New(o Options) *Client {
	return &Client{
		timeline: o.Timeline, policy: o.Policy, link: o.Link, price: o.Price, ended: o.Ended, answered: o.Answered,
		sessions: map[string]*session{},
	}
}

// Wanted is what a subscriber begins.
type Wanted struct {
	ID          string // Session-Id
	Kind        string // scenario.Call, Data or Message
	Group       string
	Subscriber  int
	Account     string
	Number      string // of the subscriber, with +
	Called      string // with +; "" for data
	Tariff      string
	RatingGroup uint32
	Amount      uint64        // seconds, octets or messages
	Lasts       time.Duration // from the answer of a call, or the begin of a data session
	Ringing     time.Duration
	Answered    bool
	Vanish      time.Duration // after the beginning the network function is gone; 0: it is not
}

// Begin begins a session, or sends a message.
func (c *Client) Begin(w Wanted) {
	s := &session{
		client: c, want: w, begun: c.timeline.Now(),
		row: results.Session{
			ID: w.ID, Group: w.Group, Subscriber: w.Subscriber, Account: w.Account, Kind: w.Kind, Called: w.Called, Wanted: w.Amount,
		},
		use: usage{amount: w.Amount, total: w.Lasts},
	}
	s.mark, s.answered, s.since = s.begun, s.begun, s.begun
	c.sessions[w.ID] = s

	switch w.Kind {
	case scenario.Message:
		s.use.amount = 0 // it is used when it is sent
		s.send(ro.Event, 0)
		return
	case scenario.Data:
		s.use.rate = float64(w.Amount) / max(w.Lasts.Seconds(), 1e-3)
	}

	if w.Vanish > 0 {
		s.vanishing = c.timeline.After(w.Vanish, s.vanish)
	}

	s.send(ro.Initial, 0)
}

// Open returns how many sessions there are.
func (c *Client) Open() int { return len(c.sessions) }

// ReAuthorise has a session report and ask anew (RFC 8506 §5.5), if it is there.
func (c *Client) ReAuthorise(id string) bool {
	s := c.sessions[id]
	if s != nil {
		s.reauthorise()
	}

	return s != nil
}

// Abort ends a session (RFC 6733 §8.5), if it is there.
func (c *Client) Abort(id string) bool {
	s := c.sessions[id]
	if s != nil && !s.over {
		s.stop(results.Cut)
	}

	return s != nil
}

// Ending returns the sessions of an account that were told that their units are the last, or that there are none: the OCS asks for them
// when the account is topped up.
func (c *Client) Ending(account string) (ids []string) {
	for id, s := range c.sessions {
		if s.want.Account == account && s.opened && !s.closing && (s.final || s.denied) {
			ids = append(ids, id)
		}
	}

	slices.Sort(ids)

	return ids
}

// HangUp ends all sessions: the run is over.
func (c *Client) HangUp() {
	for _, id := range slices.Sorted(maps.Keys(c.sessions)) {
		if s := c.sessions[id]; !s.over {
			s.stop(results.Unfinished)
		}
	}
}
