package registrar

import (
	"context"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// terminate ends contacts of a set by order of the network (TS 24.229 §5.4.1.5), with the event NetworkEnd or OperatorEnd. It returns
// false if there is nothing to end. The error is that of a SAR.
func (r *Registrar) terminate(
	ctx context.Context,
	rec *record,
	contacts []*registration.Binding,
	end Event,
	event registration.ContactEvent,
	cause registration.Cause,
) (ended bool, failed error) {
	var (
		changes []registration.ContactChange
		all     []taken
	)

	before, after, err := r.change(rec, func(old *registration.Registration) (*registration.Registration, error) {
		if old == nil {
			return nil, nil
		}

		next := *old
		next.Bindings, changes = nil, nil

		for _, b := range old.Bindings {
			if slices.ContainsFunc(contacts, func(c *registration.Binding) bool { return c.ID == b.ID }) {
				changes = append(changes, registration.ContactChange{Binding: b, Event: event})
			} else {
				next.Bindings = append(next.Bindings, b)
			}
		}

		if len(changes) == 0 && old.State == registration.Registered {
			return old, nil
		}

		if len(next.Bindings) == 0 {
			return nil, nil
		}

		return &next, nil
	}, func(after *registration.Registration) { all = r.stepEnded(rec, after, changes, end, end) })
	if err != nil || before == nil || before == after {
		return false, err
	}

	for _, c := range changes {
		r.metrics.contacts.WithLabelValues(string(event)).Inc()
		r.log.Info(
			"contact ended by the network",
			"impi", c.Binding.Private,
			"impu", c.Binding.Identity,
			"contact", c.Binding.Contact,
			"event", event,
		)
	}

	change := registration.Change{Before: before, After: after, Contacts: changes, Type: typeAfter(after), Cause: cause}
	if len(changes) == 0 { // the set of an unregistered user
		r.publish(change)
	}

	return true, r.carryOut(ctx, all, change)
}

// RegistrationTermination serves an RTR (TS 29.228 §6.1.3, TS 24.229 §5.4.1.5): the contacts of the private identities, in
// the sets of the public identities if any are named, end. No SAR follows.
func (r *Registrar) RegistrationTermination(ctx context.Context, req *cx.RTR) (*cx.RTA, error) {
	privates := []string{req.UserName}
	if req.AssociatedIdentities != nil {
		privates = append(privates, req.AssociatedIdentities.UserNames...)
	}

	event := registration.ContactRejected

	switch req.Reason.Code {
	case cx.PermanentTermination, cx.RemoveSCSCF:
	case cx.NewServerAssigned, cx.ServerChange: // the handset registers again, and finds the other S-CSCF
		event = registration.ContactDeactivated
	default:
		return nil, &diameter.Error{Result: diameter.InvalidAVPValue, Message: "Reason-Code is none of TS 29.229 §6.3.17"}
	}

	records := r.recordsOf(privates, req.PublicIdentities)
	ended := 0

	for _, rec := range records {
		g := rec.current.Load()
		if g == nil {
			continue
		}

		contacts := g.Bindings
		if req.Reason.Code == cx.PermanentTermination {
			contacts = slices.DeleteFunc(
				slices.Clone(g.Bindings),
				func(b *registration.Binding) bool { return !slices.Contains(privates, b.Private) },
			)
		}

		if over, _ := r.terminate(ctx, rec, contacts, NetworkEnd, event, registration.ByHSS); over { // no SAR follows
			ended++
		}
	}

	for _, private := range privates {
		r.withdraw(private)
	}

	r.metrics.terminations.WithLabelValues("RTR").Add(float64(ended))
	r.log.Info(
		"RTR received",
		"impi", req.UserName,
		"reason_code", uint32(req.Reason.Code),
		"reason", req.Reason.Info,
		"registrations", ended,
	)

	if ended == 0 && len(records) == 0 {
		return &cx.RTA{}, nil // as after a de-registration that crossed the RTR
	}

	return &cx.RTA{}, nil
}

// recordsOf returns the records of private identities, narrowed to those of public ones if any are named.
func (r *Registrar) recordsOf(privates, publics []string) []*record {
	var records []*record

	if len(publics) > 0 {
		for _, public := range publics {
			if rec := r.store.find(public); rec != nil && !slices.Contains(records, rec) {
				records = append(records, rec)
			}
		}

		return records
	}

	for _, private := range privates {
		for _, rec := range r.store.of(private) {
			if !slices.Contains(records, rec) {
				records = append(records, rec)
			}
		}
	}

	return records
}

// PushProfile serves a PPR (TS 29.228 §6.2.2). It replaces the whole profile of the set, and the charging information. Ongoing sessions
// keep the profile with which they began.
func (r *Registrar) PushProfile(_ context.Context, req *cx.PPR) (*cx.PPA, error) {
	if req.UserData == nil && req.ChargingInformation == nil {
		return nil, &diameter.Error{Result: diameter.UnableToComply, Message: "a PPR with nothing in it"}
	}

	var identities []registration.Identity

	if req.UserData != nil {
		var err error
		if _, identities, err = r.profiles.Parse(req.UserData); err != nil {
			r.metrics.profileFailures.Inc()
			return nil, &diameter.Error{Result: cx.ErrorNotSupportedUserData, Message: err.Error(), Err: err}
		}
	}

	records := r.store.of(req.UserName)
	if identities != nil {
		records = r.recordsOf(nil, plainOf(identities))
	}

	if len(records) == 0 {
		return nil, &diameter.Error{Result: cx.ErrorUserUnknown, Message: req.UserName + " is not served here"}
	}

	for _, rec := range records {
		before, after, err := r.change(rec, func(old *registration.Registration) (*registration.Registration, error) {
			if old == nil {
				return nil, nil
			}

			next := *old
			if identities != nil {
				next.Identities = identities
			}

			if req.ChargingInformation != nil {
				next.ChargingHandle = registration.ChargingOf(req.ChargingInformation)
			}

			return &next, nil
		}, nil)
		if err == nil && before != nil && after != nil {
			r.publish(registration.Change{Before: before, After: after, Type: typeAfter(after), Cause: registration.ByProfile})
		}

		if identities != nil {
			break // one document is one set
		}
	}

	r.log.Info(
		"PPR received",
		"impi", req.UserName,
		"identities", len(identities),
		"charging_information", req.ChargingInformation != nil,
	)

	return &cx.PPA{}, nil
}

func plainOf(identities []registration.Identity) []string {
	var all []string

	for i := range identities {
		all = append(all, identities[i].URI)
	}

	return all
}

// Deregister ends the registration of a public identity's set by order of the operator (TS 24.229 §5.4.1.5), and sends the HSS a SAR
// with ADMINISTRATIVE_DEREGISTRATION. It returns false if the identity is not registered here.
func (r *Registrar) Deregister(ctx context.Context, public string, cause registration.Cause) (bool, error) {
	rec := r.store.find(public)
	if rec == nil {
		return false, nil
	}

	g := rec.current.Load()
	if g == nil {
		return false, nil
	}

	_, failed := r.terminate(ctx, rec, g.Bindings, OperatorEnd, registration.ContactDeactivated, cause)
	r.metrics.terminations.WithLabelValues("operator").Inc()

	if g.Private != "" && len(g.Of(g.Private)) == 0 { // the profile is here without a contact of its private identity
		if err := r.takeBack(ctx, g.Private, g.Primary()); err != nil {
			failed = err
		}
	}

	return true, failed
}

// Snapshot returns all current registrations.
func (r *Registrar) Snapshot() []*registration.Registration {
	records := r.store.all()
	all := make([]*registration.Registration, 0, len(records))

	for _, rec := range records {
		if g := rec.current.Load(); g != nil {
			all = append(all, g)
		}
	}

	slices.SortFunc(all, func(a, b *registration.Registration) int { return strings.Compare(a.First(), b.First()) })

	return all
}

// Registration returns the registration to which a public identity belongs, including one whose profile has not been fetched yet after
// a restart.
func (r *Registrar) Registration(public string) (*registration.Registration, bool) {
	rec := r.store.find(public)
	if rec == nil {
		return nil, false
	}

	g := rec.current.Load()

	return g, g != nil
}
