package cx

import (
	"context"
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// TerminateRegistration ends every registration of a subscription (TS 29.228 §6.1.3) and queues the RTR that says so to its
// S-CSCF. It reports whether there was one to be told.
func TerminateRegistration(tx *subscriber.Tx, s *subscriber.Subscription, reason cx.ReasonCode, info string) (bool, error) {
	host := s.ServerHost
	located := s.State() != subscriber.NotRegistered && host != "" && len(s.Private) > 0

	var publics []string

	for _, set := range s.Sets {
		if set.State() != subscriber.NotRegistered {
			publics = append(publics, namesOf(set)...)
		}

		for _, r := range set.Registrations {
			set.Deregister(r.Private)
		}

		set.Drop()
	}

	s.Release()

	if err := tx.SaveRegistration(s); err != nil || !located {
		return false, err
	}

	return true, tx.Queue(&subscriber.Push{
		Command: subscriber.RTR, ServerHost: host, PrivateIdentity: s.Private[0].Identity, OtherIdentities: s.Others(s.Private[0]),
		PublicIdentities: publics, Reason: uint32(reason), Info: info,
	})
}

// namesOf are the public identities of a set. An RTR names them although it need not (TS 29.228 §6.1.3): there are S-CSCFs that do
// nothing at the word of a private identity alone.
func namesOf(set *subscriber.RegistrationSet) []string {
	var names []string
	for _, public := range set.Public {
		names = append(names, public.Identity)
	}

	return names
}

// TerminateSet is TerminateRegistration for one implicit registration set.
func TerminateSet(
	tx *subscriber.Tx,
	s *subscriber.Subscription,
	set *subscriber.RegistrationSet,
	reason cx.ReasonCode,
	info string,
) (bool, error) {
	host, private := s.ServerHost, holder(set)
	located := set.State() != subscriber.NotRegistered && host != "" && private != nil

	for _, r := range set.Registrations {
		set.Deregister(r.Private)
	}

	set.Drop()
	s.Release()

	if err := tx.SaveRegistration(s); err != nil || !located {
		return false, err
	}

	return true, tx.Queue(&subscriber.Push{
		Command: subscriber.RTR, ServerHost: host, PrivateIdentity: private.Identity, PublicIdentities: namesOf(set),
		Reason: uint32(reason), Info: info,
	})
}

// newServerAssigned tells the S-CSCF that another one has replaced that its registrations have ended (TS 29.228 §8.1.1).
func newServerAssigned(who Identities, host string) *subscriber.Push {
	var publics []string

	for _, set := range who.Subscription.Sets {
		if set.State() != subscriber.NotRegistered { // it has been at the other one
			publics = append(publics, namesOf(set)...)
		}
	}

	return &subscriber.Push{
		Command: subscriber.RTR, ServerHost: host, PrivateIdentity: who.Private.Identity, OtherIdentities: who.Subscription.Others(who.Private),
		PublicIdentities: publics, Reason: uint32(cx.NewServerAssigned), Info: "now at " + who.Subscription.ServerName,
	}
}

func (p *Pushes) terminate(ctx context.Context, push *subscriber.Push) (cxResult, error) {
	req := &cx.RTR{
		UserName: push.PrivateIdentity, PublicIdentities: push.PublicIdentities,
		Reason: cx.DeregistrationReason{Code: cx.ReasonCode(push.Reason), Info: push.Info},
	}
	req.DestinationHost = push.ServerHost

	if len(push.OtherIdentities) > 0 {
		req.AssociatedIdentities = &cx.AssociatedIdentities{UserNames: push.OtherIdentities}
	}

	answer, err := diameter.Call[cx.RTA](ctx, p.node, req)
	if err != nil {
		return cxResult{}, fmt.Errorf("RTR to %s: %w", push.ServerHost, err)
	}

	return answer.Result, nil
}

// TerminatePrivate is TerminateRegistration for one private identity; what others have registered stays.
func TerminatePrivate(
	tx *subscriber.Tx,
	s *subscriber.Subscription,
	private *subscriber.PrivateIdentity,
	reason cx.ReasonCode,
	info string,
) (bool, error) {
	host, located := s.ServerHost, false

	var publics []string

	for _, set := range s.Sets {
		if r := set.Registration(private); r != nil {
			if r.Registered {
				located, publics = true, append(publics, namesOf(set)...)
			}

			set.Deregister(private)
		}
	}

	s.Release()

	if err := tx.SaveRegistration(s); err != nil || !located || host == "" {
		return false, err
	}

	return true, tx.Queue(&subscriber.Push{
		Command: subscriber.RTR, ServerHost: host, PrivateIdentity: private.Identity, PublicIdentities: publics,
		Reason: uint32(reason), Info: info,
	})
}
