package registrar

import (
	"context"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// Observe adds an observer; all are added before the registrar works.
func (r *Registrar) Observe(o registration.Observer) { r.observers = append(r.observers, o) }

func (r *Registrar) publish(c registration.Change) {
	for _, observe := range r.observers {
		observe(c)
	}
}

// change replaces what stands in a record by what decide makes of it; nil removes the record. decide must be quick and do
// nothing else.
func (r *Registrar) change(
	rec *record,
	decide func(old *registration.Registration) (*registration.Registration, error),
) (before, after *registration.Registration, err error) {
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
func (r *Registrar) arm(rec *record, g *registration.Registration) {
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
	r.lose(
		rec,
		now,
		func(b *registration.Binding) bool { return !b.Expires.Add(r.policy.ExpiryGrace).After(now) },
		registration.ContactExpired,
		registration.ByExpiry,
	)
}

// FlowFailed ends a contact of which its P-CSCF says that it does not reach it any more, by 430 (RFC 5626 §5.3.1): it would be
// called in vain until it expires. One that was registered again meanwhile stays. The reg event has it deactivated, by which a handset
// that is there after all knows to register (RFC 3680 §5.1).
func (r *Registrar) FlowFailed(public string, contact *registration.Binding) {
	if rec := r.store.find(public); rec != nil {
		r.lose(
			rec,
			time.Now(),
			func(b *registration.Binding) bool { return b == contact },
			registration.ContactDeactivated,
			registration.ByFlow,
		)
	}
}

// lose takes out contacts that are gone without a word of the handset's or of the HSS's, and lets the HSS know who has none left.
func (r *Registrar) lose(
	rec *record,
	now time.Time,
	gone func(*registration.Binding) bool,
	event registration.ContactEvent,
	cause registration.Cause,
) {
	var changes []registration.ContactChange

	before, after, err := r.change(rec, func(old *registration.Registration) (*registration.Registration, error) {
		if old == nil || old.State == registration.Unregistered && (cause != registration.ByExpiry || old.Until.After(now)) {
			return old, nil
		}

		next := *old
		next.Bindings = nil
		changes = nil

		for _, b := range old.Bindings {
			if gone(b) {
				changes = append(changes, registration.ContactChange{Binding: b, Event: event})
			} else {
				next.Bindings = append(next.Bindings, b)
			}
		}

		if len(changes) == 0 && old.State == registration.Registered {
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
	if before.State == registration.Unregistered {
		left = []string{before.Private}
	}

	for _, private := range left {
		r.work.Add(func(ctx context.Context) { r.releaseLater(ctx, private, before, r.timeoutType(before)) })
	}

	if len(changes) > 0 {
		r.publish(registration.Change{Before: before, After: after, Contacts: changes, Type: typeAfter(after), Cause: cause})
	}
}

// without is what becomes of a set that may have lost its last contact: nil, or kept for services of the unregistered user.
func (r *Registrar) without(g *registration.Registration, now time.Time, keep bool) *registration.Registration {
	switch {
	case len(g.Bindings) > 0:
		return g
	case g.State == registration.Registered && keep:
		g.State, g.Until = registration.Unregistered, now.Add(r.policy.UnregisteredValidity)
		return g
	default:
		return nil
	}
}

func (r *Registrar) timeoutType(before *registration.Registration) cx.ServerAssignmentType {
	if r.policy.KeepProfile && before.State == registration.Registered {
		return cx.TimeoutDeregistrationStoreServerName
	}

	return cx.TimeoutDeregistration
}

func typeAfter(after *registration.Registration) ifc.RegistrationType {
	if after == nil || after.State == registration.Unregistered {
		return ifc.DeRegistration
	}

	return ifc.ReRegistration
}

// endedPrivates are the private identities whose last contact is among those that ended.
func endedPrivates(before, after *registration.Registration, changes []registration.ContactChange) []string {
	var ended []string

	for _, c := range changes {
		if !c.Event.Ended() || slices.Contains(ended, c.Binding.Private) {
			continue
		}

		if after == nil || len(after.Of(c.Binding.Private)) == 0 {
			ended = append(ended, c.Binding.Private)
		}
	}

	return ended
}

// releaseLater tells the HSS of the end of a registration that is over here, unless it came back in the meantime.
func (r *Registrar) releaseLater(ctx context.Context, private string, before *registration.Registration, kind cx.ServerAssignmentType) {
	release, err := r.locks.lock(ctx, private)
	if err != nil {
		return
	}
	defer release()

	public := before.Primary()

	if rec := r.store.find(public); rec != nil {
		if now := rec.current.Load(); now != nil && (len(now.Of(private)) > 0 || before.State == registration.Unregistered) {
			return
		}
	}

	req := &cx.SAR{UserName: private, Type: kind, PublicIdentities: before.Plain()}
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

	_, _, err := r.change(rec, func(old *registration.Registration) (*registration.Registration, error) {
		if old == nil || old.State == registration.Registered {
			return old, nil
		}

		return nil, nil
	})
	if err != nil {
		r.log.Error("the profile of an unregistered user could not be dropped", "public", public, "error", err)
	}
}
