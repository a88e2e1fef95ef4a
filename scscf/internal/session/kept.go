package session

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/journal"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const file = "calls.jsonl"

// keptCall is an answered call as it outlives the process: enough to know its BYE, to end it from here, and to go on charging.
type keptCall struct {
	Marks   [2]string          `json:"marks"`
	Side    side               `json:"side"`
	Public  string             `json:"public"`
	Other   string             `json:"other,omitempty"`
	Contact uint32             `json:"contact,omitempty"`
	Charge  string             `json:"charge,omitempty"` // key of the charging session
	Dialog  *sip.ProxyDialog   `json:"dialog,omitempty"`
	Further []*sip.ProxyDialog `json:"further,omitempty"`
	Abroad  bool               `json:"abroad,omitempty"`
	Length  time.Duration      `json:"length"`
	Until   time.Time          `json:"until"`
}

// Restore brings back the calls that were kept in a directory, and keeps them there from now on. The charging sessions must have
// been restored before. Nothing happens to the calls before Resume.
func (s *Server) Restore(directory string) error {
	j, kept, err := journal.Open[keptCall](directory, file, s.Log)
	if err != nil {
		return err
	}

	s.journal = j

	for token, k := range kept {
		if len(s.calls) >= maxCalls {
			break
		}

		c := &call{
			entry:   entries{token, k.Marks},
			server:  s,
			side:    k.Side,
			public:  k.Public,
			other:   k.Other,
			dialog:  k.Dialog,
			further: k.Further,
			abroad:  k.Abroad,
			length:  k.Length,
			until:   k.Until,
		}

		if k.Charge != "" {
			charge, found := s.Charging.Take(k.Charge, c.release)
			if !found { // it was settled, and the process ended before the call was forgotten
				c.drop()
				continue
			}

			c.charge = charge
		}

		s.calls[token] = c
		s.restored = append(s.restored, c)
		s.bind(c, k.Contact)
	}

	return nil
}

// Resume watches the restored calls again, once SIP can be spoken.
func (s *Server) Resume(ctx context.Context, ready func(context.Context)) {
	s.mu.Lock()
	restored := s.restored
	s.restored = nil
	s.mu.Unlock()

	if len(restored) > 0 {
		s.Log.Info("calls restored", "count", len(restored))
	}

	s.Charging.Resume(ctx, ready)

	for _, c := range restored {
		c.mu.Lock()
		if !c.ended && c.expiry == nil {
			c.expiry = time.AfterFunc(max(0, time.Until(c.until)), c.expired)
		}
		c.mu.Unlock()
		s.verify(c)
	}
}

// Close stops all calls as they are.
func (s *Server) Close() error {
	s.stop()
	s.running.Wait()

	s.mu.Lock()
	calls := slices.Collect(maps.Values(s.calls))
	s.mu.Unlock()

	for _, c := range calls {
		c.mu.Lock()
		c.stop()
		c.mu.Unlock()
	}

	if s.journal == nil {
		return nil
	}

	return s.journal.Close()
}

// keep writes an answered call as it is. Called with the call's lock held.
func (c *call) keep() {
	j := c.server.journal
	if j == nil {
		return
	}

	c.server.mu.Lock()
	contact := c.contact
	c.server.mu.Unlock()

	k := keptCall{
		Marks: c.entry.marks, Side: c.side, Public: c.public, Other: c.other, Contact: contact, Dialog: c.dialog, Further: c.further,
		Abroad: c.abroad, Length: c.length, Until: c.until,
	}
	if c.charge != nil {
		k.Charge = c.charge.Key()
	}

	if err := j.Put(c.entry.token, k); err != nil {
		c.server.Log.Error("a call could not be written; it would be lost at a restart", "user", c.public, "error", err)
	}
}

func (c *call) drop() {
	j := c.server.journal
	if j == nil {
		return
	}

	if err := j.Drop(c.entry.token); err != nil {
		c.server.Log.Error("the end of a call could not be written", "user", c.public, "error", err)
	}
}
