package registrar

import (
	"context"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// FetchUnregistered fetches the profile of a user who is called without being registered here, or for whom an application server calls
// (TS 24.229 §5.4.3.2, §5.4.3.3, TS 29.228 §6.1.2), by a SAR with UNREGISTERED_USER. The profile is held for the time in the policy. If
// the user's registration was kept across a restart, it gets its profile back instead. The error is a *sip.Refusal.
func (r *Registrar) FetchUnregistered(ctx context.Context, public string) (registration.User, error) {
	release, err := r.locks.lock(ctx, public)
	if err != nil {
		return registration.User{}, unanswered("SAR", err)
	}
	defer release()

	if user, found := r.Lookup(public); found { // somebody else has just fetched it
		return user, nil
	}

	if kept := r.store.find(public); kept != nil {
		if refusal := r.revive(ctx, kept); refusal != nil {
			return registration.User{}, refusal
		}

		if user, found := r.Lookup(public); found {
			return user, nil
		}
	}

	answer, refusal := r.assign(ctx, &cx.SAR{PublicIdentities: []string{public}, Type: cx.UnregisteredUser})
	if refusal != nil {
		return registration.User{}, refusal
	}

	private, identities, refusal := r.profileOf(answer)
	if refusal != nil {
		return registration.User{}, refusal
	}

	g := &registration.Registration{
		State: registration.Unregistered, Private: private, Identities: identities,
		ChargingHandle: registration.ChargingOf(answer.ChargingInformation), Until: time.Now().Add(r.policy.UnregisteredValidity),
	}

	user, found := userOf(g, public)
	if !found {
		return registration.User{}, sip.Refuse(500, "the profile that the HSS sent does not have "+public)
	}

	rec, g, err := r.store.putNew(r.newRecord(), g)
	if err != nil {
		return registration.User{}, sip.Refuse(503, err.Error())
	}

	r.arm(rec, g)

	if other, found := userOf(g, public); found { // perhaps the user has registered in the meantime
		user = other
	}

	return user, nil
}

// Registered is like Lookup, but may block to fetch the profile of a registration that was kept across a restart. If it returns an error,
// from the HSS, the user must not be taken for unregistered.
func (r *Registrar) Registered(ctx context.Context, public string) (registration.User, bool, error) {
	user, found := r.Lookup(public)

	if kept := r.store.find(public); !found && kept != nil {
		release, err := r.locks.lock(ctx, public)
		if err != nil {
			return registration.User{}, false, err
		}
		defer release()

		if refusal := r.revive(ctx, kept); refusal != nil {
			r.log.Warn("the profile of a restored registration could not be fetched", "impu", public, "cause", refusal)

			if r.store.find(public) != nil { // it has not ended
				return registration.User{}, false, refusal
			}

			return registration.User{}, false, nil
		}

		user, found = r.Lookup(public)
	}

	return user, found && user.State == registration.Registered, nil
}

// revive fetches the profile of a registration that was kept across a restart, by a SAR with NO_ASSIGNMENT, which changes nothing at the
// HSS (TS 29.228 §6.1.2). If the HSS answers that this S-CSCF no longer serves the user, the registration ends.
func (r *Registrar) revive(ctx context.Context, rec *record) *sip.Refusal {
	g := rec.current.Load()
	if g == nil || !g.ProfileMissing() {
		return nil
	}

	answer, refusal := r.assign(ctx, &cx.SAR{UserName: g.Private, PublicIdentities: []string{g.Primary()}, Type: cx.NoAssignment})
	if refusal != nil {
		if refusal.Status != 504 { // the HSS has answered
			_, _ = r.terminate(ctx, rec, g.Bindings, NetworkEnd, registration.ContactDeactivated, registration.ByHSS) // no SAR follows
		}

		return refusal
	}

	_, identities, refusal := r.profileOf(answer)
	if refusal != nil {
		return refusal
	}

	_, _, err := r.change(rec, func(old *registration.Registration) (*registration.Registration, error) {
		if old == nil || !old.ProfileMissing() {
			return old, nil
		}

		next := *old
		next.Identities, next.ChargingHandle = identities, registration.ChargingOf(answer.ChargingInformation)

		return &next, nil
	}, nil)
	if err != nil {
		return sip.Refuse(503, err.Error())
	}

	return nil
}
