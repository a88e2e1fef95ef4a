package registrar

import (
	"context"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Change is what happened to one implicit registration set.
type Change struct {
	Before, After *Registration // Before nil: it is new; After nil: it is gone
	Contacts      []ContactChange
	Type          ifc.RegistrationType // what application servers are told it is
	Cause         Cause

	// Request and Response are those of the REGISTER that made the change, or nil.
	Request  *sip.Request
	Response *sip.Response
}

// Cause is why a registration changed.
type Cause uint8

const (
	ByHandset Cause = iota
	ByExpiry
	ByHSS
	ByOperator
	ByApplicationServer // its default handling ends the registration (§5.4.1.7)
	ByProfile           // the HSS changed the profile, and no contact
	ByFlow              // a contact's P-CSCF does not reach it any more
)

// Registered tells whether the set has contacts after the change.
func (c *Change) Registered() bool { return c.After != nil && c.After.State == Registered }

// Observer is told of every change, after the answer to the REGISTER that made it. It must not block.
type Observer func(c Change)

// Observe adds an observer; all are added before the registrar works.
func (r *Registrar) Observe(o Observer) { r.observers = append(r.observers, o) }

func (r *Registrar) publish(c Change) {
	for _, observe := range r.observers {
		observe(c)
	}
}

// change replaces what stands in a record by what decide makes of it; nil removes the record. decide must be quick and do
// nothing else.
func (r *Registrar) change(rec *record, decide func(old *Registration) (*Registration, error)) (before, after *Registration, err error) {
	before, after, err = r.store.update(rec, decide)
	if err != nil {
		return before, after, err
	}

	r.arm(rec, after)

	if before != after {
		r.journal.mark(rec)
	}

	return before, after, nil
}

// arm sets the timer for the next end in a registration.
func (r *Registrar) arm(rec *record, g *Registration) {
	if g == nil {
		r.schedule.Cancel(&rec.expiry)
		return
	}

	next := g.Until

	for _, b := range g.Bindings {
		if end := b.Expires.Add(r.policy.ExpiryGrace); next.IsZero() || end.Before(next) {
			next = end
		}
	}

	if next.IsZero() {
		r.schedule.Cancel(&rec.expiry)
	} else {
		r.schedule.Set(&rec.expiry, rec, next)
	}
}

// Due is called by the schedule when the first contact of a registration, or the profile of an unregistered user, ends.
func (rec *record) Due(now time.Time) { rec.registrar.expire(rec, now) }

// expire takes out the contacts whose time is over (TS 24.229 §5.4.1.5) and lets the HSS know who has none left.
func (r *Registrar) expire(rec *record, now time.Time) {
	r.lose(rec, now, func(b *Binding) bool { return !b.Expires.Add(r.policy.ExpiryGrace).After(now) }, ContactExpired, ByExpiry)
}

// FlowFailed ends a contact of which its P-CSCF says that it does not reach it any more, by 430 (RFC 5626 §5.3.1): it would be
// called in vain until it expires. One that was registered again meanwhile stays. The reg event has it deactivated, by which a handset
// that is there after all knows to register (RFC 3680 §5.1).
func (r *Registrar) FlowFailed(public string, contact *Binding) {
	if rec := r.store.find(public); rec != nil {
		r.lose(rec, time.Now(), func(b *Binding) bool { return b == contact }, ContactDeactivated, ByFlow)
	}
}

// lose takes out contacts that are gone without a word of the handset's or of the HSS's, and lets the HSS know who has none left.
func (r *Registrar) lose(rec *record, now time.Time, gone func(*Binding) bool, event ContactEvent, cause Cause) {
	var changes []ContactChange

	before, after, err := r.change(rec, func(old *Registration) (*Registration, error) {
		if old == nil || old.State == Unregistered && (cause != ByExpiry || old.Until.After(now)) {
			return old, nil
		}

		next := *old
		next.Bindings = nil
		changes = nil

		for _, b := range old.Bindings {
			if gone(b) {
				changes = append(changes, ContactChange{b, event})
			} else {
				next.Bindings = append(next.Bindings, b)
			}
		}

		if len(changes) == 0 && old.State == Registered {
			return old, nil
		}

		return r.without(&next, now, r.policy.KeepProfile), nil
	})
	if err != nil || before == nil || before == after {
		return
	}

	for _, c := range changes {
		r.metrics.contacts.WithLabelValues(string(event)).Inc()
		r.log.Info("contact lost", "event", event, "private", c.Binding.Private, "public", c.Binding.Identity, "contact", c.Binding.Contact)
	}

	left := endedPrivates(before, after, changes)
	if before.State == Unregistered {
		left = []string{before.Private}
	}

	for _, private := range left {
		r.work.Add(func(ctx context.Context) { r.releaseLater(ctx, private, before, r.timeoutType(before)) })
	}

	if len(changes) > 0 {
		r.publish(Change{Before: before, After: after, Contacts: changes, Type: typeAfter(after), Cause: cause})
	}
}

// without is what becomes of a set that may have lost its last contact: nil, or kept for services of the unregistered user.
func (r *Registrar) without(g *Registration, now time.Time, keep bool) *Registration {
	switch {
	case len(g.Bindings) > 0:
		return g
	case g.State == Registered && keep:
		g.State, g.Until = Unregistered, now.Add(r.policy.UnregisteredValidity)
		return g
	default:
		return nil
	}
}

func (r *Registrar) timeoutType(before *Registration) cx.ServerAssignmentType {
	if r.policy.KeepProfile && before.State == Registered {
		return cx.TimeoutDeregistrationStoreServerName
	}

	return cx.TimeoutDeregistration
}

func typeAfter(after *Registration) ifc.RegistrationType {
	if after == nil || after.State == Unregistered {
		return ifc.DeRegistration
	}

	return ifc.ReRegistration
}

// endedPrivates are the private identities whose last contact is among those that ended.
func endedPrivates(before, after *Registration, changes []ContactChange) []string {
	var ended []string

	for _, c := range changes {
		if !c.Event.Ended() || slices.Contains(ended, c.Binding.Private) {
			continue
		}

		if after == nil || len(after.of(c.Binding.Private)) == 0 {
			ended = append(ended, c.Binding.Private)
		}
	}

	return ended
}

// releaseLater tells the HSS of the end of a registration that is over here, unless it came back in the meantime.
func (r *Registrar) releaseLater(ctx context.Context, private string, before *Registration, kind cx.ServerAssignmentType) {
	release, err := r.locks.lock(ctx, private)
	if err != nil {
		return
	}
	defer release()

	public := before.primary()

	if rec := r.store.find(public); rec != nil {
		if now := rec.current.Load(); now != nil && (len(now.of(private)) > 0 || before.State == Unregistered) {
			return
		}
	}

	req := &cx.SAR{UserName: private, Type: kind, PublicIdentities: before.plain()}
	if len(req.PublicIdentities) > 1 {
		req.PublicIdentities = req.PublicIdentities[:1] // stands for its implicit registration set (TS 29.228 §6.1.2)
	}

	answer, refusal := r.assign(ctx, req)

	switch {
	case refusal != nil:
		r.log.Warn("the HSS was not told of the end of a registration", "private", private, "public", public, "reason", refusal)
	case answer.Result == cx.SuccessServerNameNotStored: // another S-CSCF may serve the user from now on
		r.dropUnregistered(public)
	}
}

// dropUnregistered forgets the profile of a user who is not registered.
func (r *Registrar) dropUnregistered(public string) {
	rec := r.store.find(public)
	if rec == nil {
		return
	}

	_, _, err := r.change(rec, func(old *Registration) (*Registration, error) {
		if old == nil || old.State == Registered {
			return old, nil
		}

		return nil, nil
	})
	if err != nil {
		r.log.Error("the profile of an unregistered user could not be dropped", "public", public, "error", err)
	}
}
