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

// change replaces what stands in a record by what decide makes of it; nil removes the record. Then registrants take their steps. Both
// must be quick and do nothing else.
func (r *Registrar) change(
	rec *record,
	decide func(old *registration.Registration) (*registration.Registration, error),
	then func(after *registration.Registration),
) (before, after *registration.Registration, err error) {
	before, after, err = r.store.update(rec, decide, then)
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

// lose takes out contacts that are gone without a word of the handset's or of the HSS's.
func (r *Registrar) lose(
	rec *record,
	now time.Time,
	gone func(*registration.Binding) bool,
	event registration.ContactEvent,
	cause registration.Cause,
) {
	var (
		changes []registration.ContactChange
		taken   []taken
	)

	before, after, err := r.change(rec, func(old *registration.Registration) (*registration.Registration, error) {
		if old == nil || old.State == registration.Unregistered && (cause != registration.ByExpiry || old.Until.After(now)) {
			return old, nil
		}

		next := *old
		next.Bindings = nil

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
	}, func(after *registration.Registration) {
		taken = r.stepEnded(rec, after, changes, ContactLost, LastContactLost)
	})
	if err != nil || before == nil || before == after {
		return
	}

	for _, c := range changes {
		r.metrics.contacts.WithLabelValues(string(event)).Inc()
		r.log.Info("contact lost", "event", event, "impi", c.Binding.Private, "impu", c.Binding.Identity, "contact", c.Binding.Contact)
	}

	if before.State == registration.Unregistered { // nobody's registration
		r.work.Add(func(ctx context.Context) { r.releaseLater(ctx, before.Private, before) })
		return
	}

	change := registration.Change{Before: before, After: after, Contacts: changes, Type: typeAfter(after), Cause: cause}
	_ = r.carryOut(context.Background(), taken, change) // no row of a lost contact has a SAR that is waited for
}

// taken are the steps that the registrants of a changed set have taken.
type taken struct {
	private string
	actions []Action
}

// stepEnded has the private identities whose contacts have ended take their step: other while they have others, else last. It is
// called with the store's lock held.
func (r *Registrar) stepEnded(
	rec *record,
	after *registration.Registration,
	changes []registration.ContactChange,
	other, last Event,
) (all []taken) {
	for _, c := range changes {
		private := c.Binding.Private
		if slices.ContainsFunc(all, func(t taken) bool { return t.private == private }) {
			continue
		}

		event := last
		if after != nil && len(after.Of(private)) > 0 {
			event = other
		}

		who := rec.registrant(private)
		if who == nil { // whoever has a contact is held with the record
			who = &registrant{private: private, run: r.machine.Start(NotRegistered)}
		}

		actions, ok := who.run.Step(event)
		if !ok {
			r.unexpected(event, who.run.State())
		}

		rec.hold(who, after)

		all = append(all, taken{private: private, actions: actions})
	}

	return all
}

// carryOut does what the rows of a changed set's registrants say. Application servers and watchers are told once. The error is that of
// the last SAR that failed.
func (r *Registrar) carryOut(ctx context.Context, all []taken, change registration.Change) (failed error) {
	told := false

	for _, t := range all {
		for _, action := range t.actions {
			switch action {
			case Notify:
				if !told {
					r.publish(change)
				}

				told = true
			case ReleaseServerLater:
				r.work.Add(func(ctx context.Context) { r.releaseLater(ctx, t.private, change.Before) })
			case TakeBack:
				if err := r.takeBack(ctx, t.private, change.Before.Primary()); err != nil {
					failed = err
				}
			default:
				r.unexpected(action, NotRegistered)
			}
		}
	}

	return failed
}

// without returns what becomes of a set that may have lost its last contact: nil, or kept for services of the unregistered user.
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

// releaseLater tells the HSS of the end of a registration that is over here, unless it came back in the meantime.
func (r *Registrar) releaseLater(ctx context.Context, private string, before *registration.Registration) {
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

	req := &cx.SAR{UserName: private, Type: r.timeoutType(before), PublicIdentities: before.Plain()}
	if len(req.PublicIdentities) > 1 {
		req.PublicIdentities = req.PublicIdentities[:1] // stands for its implicit registration set (TS 29.228 §6.1.2)
	}

	answer, refusal := r.assign(ctx, req)

	switch {
	case refusal != nil:
		r.log.Warn("the HSS was not told of the end of a registration", "impi", private, "impu", public, "cause", refusal)
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
	}, nil)
	if err != nil {
		r.log.Error("the profile of an unregistered user could not be dropped", "impu", public, "cause", err)
	}
}
