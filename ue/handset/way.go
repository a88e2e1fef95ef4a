package handset

import (
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// way is how the requests of one registration are sent: in clear, through the current associations, or through those of the challenge being
// answered. Without IPsec it is always the first.
type way struct {
	handset *Handset
	offered *passage // for the next challenge, or the answered one
	by      *passage // nil: in clear
	done    bool     // offered has become the current set
}

func (h *Handset) way() (*way, error) {
	w := &way{handset: h}

	if h.guard == nil {
		return w, nil
	}

	w.by = h.guard.inUse()

	var err error
	w.offered, err = h.guard.propose()

	return w, err
}

func (w *way) announce(r *sip.Request) {
	if g := w.handset.guard; g != nil {
		g.announce(r, w.offered, w.agreed())
	}
}

// agreed returns what Security-Verify repeats, even outside the associations if the handset misbehaves.
func (w *way) agreed() *passage {
	if w.offered != nil && w.offered.answer != "" {
		return w.offered
	}

	return w.by
}

func (w *way) destination() stack.Destination {
	if w.by == nil || w.handset.guard.Misbehave.Outside && w.by == w.offered {
		return stack.Destination{
			Endpoint: w.handset.endpoint, Targets: []stack.Target{{Transport: w.handset.config.Transport, Addr: w.handset.config.Proxy}},
		}
	}

	flow := w.handset.guard.flow(w.by)

	return stack.Destination{Flow: &flow}
}

// challenged returns the way of the answer. An answer with AUTS goes as the request did, with a new offer (TS 24.229 §5.1.1.5.3); one with
// RES goes through the associations of the challenge (§5.1.1.5.1).
func (w *way) challenged(response *sip.Response, session registration, resynchronises bool) (*way, error) {
	g := w.handset.guard
	if g == nil {
		return w, nil
	}

	if resynchronises {
		w.leave()

		fresh, err := g.propose()

		return &way{handset: w.handset, offered: fresh, by: w.by}, err
	}

	if w.by != nil && !sip.Has(response, "Security-Server") {
		return w, nil // the current associations stay
	}

	if err := g.agree(w.offered, response, session.ck, session.ik); err != nil {
		return w, err
	}

	if g.Misbehave.Silent {
		return w, ErrSilent
	}

	w.by = w.offered

	return w, nil
}

// arrived handles the 200 to a REGISTER: the registration stands, or has ended.
func (w *way) arrived(expires uint32) {
	g := w.handset.guard

	switch {
	case g == nil || w.by == nil:
	case expires == 0:
		w.done = w.by == w.offered
		g.establish(w.by)
		g.end(w.by)
	case w.by == w.offered:
		w.done = true
		g.establish(w.by)
	}
}

// leave withdraws an offer that was not used.
func (w *way) leave() {
	if w.offered != nil && !w.done {
		w.handset.guard.drop(w.offered)
	}
}
