package registrar

import (
	"context"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// Observe adds an observer. It must not be called once the registrar serves requests.
func (r *Registrar) Observe(o registration.Observer) { r.observers = append(r.observers, o) }

func (r *Registrar) publish(c registration.Change) {
	for _, observe := range r.observers {
		observe(c)
	}
}

// change replaces the registration of a record with the result of decide; nil removes the record. Then the registrants take their steps.
// Both callbacks must be quick and have no other effects.
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

// Due removes what has expired. It is called by the schedule when the first contact of a registration, or the profile of an unregistered
// user, ends.
func (rec *record) Due(now time.Time) { rec.registrar.expire(rec, now) }

// expire removes expired contacts (TS 24.229 §5.4.1.5) and reports to the HSS the users who have none left.
func (r *Registrar) expire(rec *record, now time.Time) {
	r.lose(
		rec,
		now,
		func(b *registration.Binding) bool { return !b.Expires.Add(r.policy.ExpiryGrace).After(now) },
		registration.ContactExpired,
		registration.ByExpiry,
	)
}

// FlowFailed removes a contact that its P-CSCF can no longer reach and answers with 430 (RFC 5626 §5.3.1). A contact that was registered
// again in the meantime stays. The reg event reports it as deactivated, so that a handset that is still there registers again
// (RFC 3680 §5.1).
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

// lose removes contacts that ended without the handset or the HSS saying so.
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

	if before.State == registration.Unregistered { // no registration of a user
		r.work.Add(func(ctx context.Context) { r.releaseLater(ctx, before.Private, before) })
		return
	}

	change := registration.Change{Before: before, After: after, Contacts: changes, Type: typeAfter(after), Cause: cause}
	_ = r.carryOut(context.Background(), taken, change) // no row of a lost contact has a SAR that is waited for
}

// taken are the steps taken by the registrants of a changed set.
type taken struct {
	private string
	actions []Action
}

// stepEnded steps the private identities whose contacts have ended: with other if they have more contacts, else with last. It is called
// with the store's lock held.
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
		if who == nil { // a private identity with a contact has a registrant in the record
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

// carryOut performs the actions of the steps taken by the registrants of a changed set. It informs application servers and watchers once.
// The error is that of the last SAR that failed.
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

// without returns a set after it may have lost its last contact: the set itself, a set for services of the unregistered user, or nil.
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

// releaseLater reports to the HSS that a registration has ended here, unless the user has registered again in the meantime.
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

// dropUnregistered drops the profile of an unregistered user.
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
