package procedure

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/administration"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/hss/internal/userdata"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// assignment is what the answer to a SAR needs.
type assignment struct {
	Result     cxResult
	Private    *subscriber.PrivateIdentity
	Download   *subscriber.RegistrationSet // the set whose profile the S-CSCF gets, or nil
	Restored   []*subscriber.Registration  // whose restoration information it gets
	Superseded string                      // Diameter identity of the S-CSCF that was replaced and must be informed
}

// serverAssignment decides a SAR (TS 29.228 §6.1.2): the S-CSCF reports a registration or its end, and asks for the
// profile. Numbers are the steps of §6.1.2.1. It changes the state of the identities. keepServerName is whether the S-CSCF
// may stay with a user who is not registered any more.
func serverAssignment(who identities, req *cx.SAR, keepServerName bool) (assignment, error) {
	if err := identified(req); err != nil {
		return assignment{}, err
	}

	switch {
	case req.UserName != "" && who.Private == nil: // 1
		return assignment{}, refused(cx.ErrorUserUnknown, "no private identity %s", req.UserName)
	case len(req.PublicIdentities) > 0 && who.Public == nil:
		return assignment{}, refused(cx.ErrorUserUnknown, "no public identity %s", req.PublicIdentities[0])
	case who.Private != nil && who.Public != nil && !who.Match(): // 2
		return assignment{}, refused(cx.ErrorIdentitiesDontMatch, "%s is not of %s", req.PublicIdentities[0], req.UserName)
	case len(req.PublicIdentities) > 1 && !deregisters(req.Type): // 3
		return assignment{}, &diameter.Error{
			Result: diameter.AVPOccursTooManyTimes, Message: "several identities can only be de-registered together",
			Failed: &cx.FailedAVP{PublicIdentity: &req.PublicIdentities[1]},
		}
	case who.Public != nil && who.Public.Kind == subscriber.Service && registers(req.Type): // 4
		return assignment{}, refused(cx.ErrorInAssignmentType, "%s is a service and cannot be registered", who.Public.Identity)
	}

	switch req.Type { // 5
	case cx.NoAssignment:
		return noAssignment(who, req)
	case cx.AssignRegistration, cx.ReRegistration:
		return register(who, req)
	case cx.UnregisteredUser:
		return unregisteredUser(who, req)
	case cx.TimeoutDeregistration, cx.UserDeregistration, cx.DeregistrationTooMuchData, cx.AdministrativeDeregistration:
		return deregister(who, req, false)
	case cx.TimeoutDeregistrationStoreServerName, cx.UserDeregistrationStoreServerName:
		return deregister(who, req, keepServerName)
	case cx.AuthenticationFailure, cx.AuthenticationTimeout:
		return authenticationEnded(who, req)
	default: // AAA_USER_DATA_REQUEST, PGW_UPDATE and RESTORATION are of SWx (TS 29.273)
		return assignment{}, refused(cx.ErrorInAssignmentType, "Server-Assignment-Type %d is not one of Cx", req.Type)
	}
}

// identified refuses a request without the identities that its type needs (table 6.1.2.1).
func identified(req *cx.SAR) error {
	switch {
	case req.UserName == "" && (len(req.PublicIdentities) == 0 || registers(req.Type)):
		return missing("User-Name", &cx.FailedAVP{UserName: new(string)})
	case len(req.PublicIdentities) == 0 && !deregisters(req.Type):
		return missing("Public-Identity", &cx.FailedAVP{PublicIdentity: new(string)})
	default:
		return nil
	}
}

func deregisters(t cx.ServerAssignmentType) bool {
	return slices.Contains([]cx.ServerAssignmentType{
		cx.TimeoutDeregistration, cx.UserDeregistration, cx.TimeoutDeregistrationStoreServerName, cx.UserDeregistrationStoreServerName,
		cx.AdministrativeDeregistration, cx.DeregistrationTooMuchData,
	}, t)
}

// registers reports whether a type concerns a private identity's own registration.
func registers(t cx.ServerAssignmentType) bool {
	return slices.Contains([]cx.ServerAssignmentType{
		cx.AssignRegistration, cx.ReRegistration, cx.AuthenticationFailure, cx.AuthenticationTimeout,
	}, t)
}

// noAssignment downloads the profile to the S-CSCF that serves the user, and to no other.
func noAssignment(who identities, req *cx.SAR) (assignment, error) {
	if err := assigned(who, req); err != nil {
		return assignment{}, err
	}

	return assignment{Result: cx.Success, Private: privateOf(who), Download: who.Set, Restored: who.Set.Registrations}, nil
}

// assigned refuses an S-CSCF that is not the user's: only a MAR changes that (§8.1, §8.1.2).
func assigned(who identities, req *cx.SAR) error {
	if who.Subscription.ServerName != req.ServerName {
		return refused(cx.UnableToComply, "the S-CSCF of %s is %q, not %s", who.Subscription.Name, who.Subscription.ServerName, req.ServerName)
	}

	return nil
}

// vacant refuses an S-CSCF while the user has another one (§8.1.2).
func vacant(who identities, req *cx.SAR) error {
	if server := who.Subscription.ServerName; server != "" && server != req.ServerName {
		return refused(cx.ErrorIdentityAlreadyRegistered, "%s is served by %s", who.Subscription.Name, server)
	}

	return nil
}

func register(who identities, req *cx.SAR) (assignment, error) {
	if err := vacant(who, req); err != nil {
		return assignment{}, err
	}

	who.Set.Register(who.Private)
	who.Subscription.Assign(req.ServerName, req.OriginHost)

	a := assignment{Result: cx.Success, Private: who.Private, Download: who.Set, Superseded: who.Subscription.TakePrevious()}

	for _, r := range who.Set.Registrations { // the S-CSCF need not get what it has just sent
		if r.Private != who.Private || req.RestorationInfo == nil {
			a.Restored = append(a.Restored, r)
		}
	}

	return a, nil
}

// unregisteredUser gives the S-CSCF the profile of a user who is called, or calls through an AS, without being registered.
func unregisteredUser(who identities, req *cx.SAR) (assignment, error) {
	if err := vacant(who, req); err != nil {
		return assignment{}, err
	}

	if who.Set.State() == subscriber.Registered {
		if cx.Has(req.SupportedFeatures, cx.FeatureRestoration) { // it has lost the registration, which is restored, not unregistered
			return assignment{Result: cx.ErrorInAssignmentType, Private: privateOf(who), Download: who.Set, Restored: who.Set.Registrations}, nil
		}

		return assignment{}, refused(cx.ErrorInAssignmentType, "%s is registered", req.PublicIdentities[0])
	}

	who.Set.MarkUnregistered()
	who.Subscription.Assign(req.ServerName, req.OriginHost)

	return assignment{Result: cx.Success, Private: privateOf(who), Download: who.Set}, nil
}

// deregister ends the registration of the identities named; if none is named, of all of the private identity (§6.1.2.1 step 5). An identity
// that another private identity has registered stays registered.
func deregister(who identities, req *cx.SAR, keep bool) (assignment, error) {
	sets, err := named(who, req)
	if err != nil {
		return assignment{}, err
	}

	if who.Subscription.ServerName == "" && who.Subscription.State() == subscriber.NotRegistered {
		return assignment{Result: cx.Success, Private: privateOf(who)}, nil // as after an RTR that crossed this
	}

	if err := assigned(who, req); err != nil {
		return assignment{}, err
	}

	for _, set := range sets {
		for _, r := range set.Registrations {
			if who.Private == nil || r.Private == who.Private {
				set.Deregister(r.Private)
			}
		}

		switch {
		case set.State() == subscriber.Registered:
		case keep:
			set.MarkUnregistered()
		default:
			set.MarkNotRegistered()
		}
	}

	who.Subscription.Release()

	result := cx.Success
	if storing := req.Type == cx.TimeoutDeregistrationStoreServerName || req.Type == cx.UserDeregistrationStoreServerName; storing && !keep {
		result = cx.SuccessServerNameNotStored
	}

	return assignment{Result: result, Private: privateOf(who)}, nil
}

// named returns the sets of the identities in the request, or all that the private identity may use.
func named(who identities, req *cx.SAR) ([]*subscriber.RegistrationSet, error) {
	var sets []*subscriber.RegistrationSet

	if len(req.PublicIdentities) == 0 {
		for _, set := range who.Subscription.Sets {
			if set.Registration(who.Private) != nil {
				sets = append(sets, set)
			}
		}

		return sets, nil
	}

	for _, identity := range req.PublicIdentities {
		public, set := who.Subscription.Find(identity)

		switch {
		case public == nil:
			return nil, refused(cx.ErrorUserUnknown, "no public identity %s in %s", identity, who.Subscription.Name)
		case who.Private != nil && set.Registration(who.Private) == nil:
			return nil, refused(cx.ErrorIdentitiesDontMatch, "%s is not of %s", identity, req.UserName)
		}

		if !slices.Contains(sets, set) {
			sets = append(sets, set)
		}
	}

	return sets, nil
}

// authenticationEnded leaves a registration as it was; if there was none, the S-CSCF is dropped.
func authenticationEnded(who identities, req *cx.SAR) (assignment, error) {
	if err := assigned(who, req); err != nil {
		return assignment{}, err
	}

	who.Set.AuthenticationOver(who.Private)
	who.Subscription.Release()

	return assignment{Result: cx.Success, Private: who.Private}, nil
}

// privateOf returns the private identity of the request, else the first one that may use the set.
func privateOf(who identities) *subscriber.PrivateIdentity {
	switch {
	case who.Private != nil:
		return who.Private
	case who.Set != nil && len(who.Set.Registrations) > 0:
		return who.Set.Registrations[0].Private
	default:
		return nil
	}
}

func (s *Server) serverAssignment(ctx context.Context, req *cx.SAR) (*cx.SAA, error) {
	var answer *cx.SAA

	for i, identity := range req.PublicIdentities {
		req.PublicIdentities[i] = canonical(identity)
	}

	public := ""
	if len(req.PublicIdentities) > 0 {
		public = req.PublicIdentities[0]
	}

	began := time.Now()
	err := s.store.Update(ctx, func(tx *subscriber.Tx) error {
		who, err := tx.Identities(req.UserName, public)
		if err != nil {
			return err
		}

		assignment, err := serverAssignment(who, req, s.policy.StoreServerName)
		if err != nil {
			return err
		}

		if assignment.Download != nil {
			who.Subscription.Announce(common(req.SupportedFeatures))
		}

		if err := storeRestoration(who, req); err != nil {
			return err
		}

		if err := tx.SaveRegistration(who.Subscription); err != nil {
			return err
		}

		if assignment.Superseded != "" {
			if err := administration.NewServerAssigned(tx, who, assignment.Superseded); err != nil {
				return err
			}
		}

		answer, err = s.serverAssignmentAnswer(tx, who, req, assignment)

		return err
	})
	if err != nil {
		s.remember(began, req.UserName, public, ofSAR[req.Type], cxResult{}, err)
		return nil, fmt.Errorf("SAR for %s %s: %w", req.UserName, public, err)
	}

	s.remember(began, answer.UserName, public, ofSAR[req.Type], answer.Result, nil)
	s.wake()

	return answer, nil
}

func (s *Server) serverAssignmentAnswer(tx *subscriber.Tx, who identities, req *cx.SAR, a assignment) (*cx.SAA, error) {
	answer := new(cx.SAA)
	answer.Result = a.Result

	if a.Private != nil {
		answer.UserName = a.Private.Identity
	}

	if a.Download == nil {
		return answer, nil
	}

	answer.ChargingInformation = userdata.ChargingInformation(who.Subscription)

	if a.Download.LooseRoute {
		required := uint32(1) // LOOSE_ROUTE_REQUIRED
		answer.LooseRoute = &required
	}

	var err error
	if answer.RestorationInfo, err = restoration(a, req); err != nil {
		return nil, err
	}

	if others := who.Subscription.Others(a.Private); len(others) > 0 {
		answer.AssociatedIdentities = &cx.AssociatedIdentities{UserNames: others}
	}

	if req.DataAlreadyAvailable == cx.UserDataAvailable {
		return answer, nil
	}

	answer.UserData, err = userdata.Of(tx, who.Subscription, a.Private, a.Download, req.PublicIdentities[0])

	return answer, err
}
