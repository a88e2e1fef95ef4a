// Package administration decides what a change in the HSS means to S-CSCFs and MMEs: which registrations end (RTR, TS 29.228 §6.1.3),
// which profiles are sent anew (PPR, §6.2.2), which locations are cancelled (CLR, TS 29.272 §5.2.1.2) and which subscription data is sent
// anew (IDR, §5.2.2.1). The provisioning API and the procedures of Cx and S6a use it. It queues in the store's transaction; package push
// sends.
package administration

import (
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// TerminateRegistration ends every registration of a subscription (TS 29.228 §6.1.3) and queues the RTR to its S-CSCF. It reports whether
// there was an S-CSCF to inform.
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

		set.MarkNotRegistered()
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

// namesOf returns the public identities of a set. An RTR names them although it need not (TS 29.228 §6.1.3): some S-CSCFs ignore an RTR
// with a private identity alone.
func namesOf(set *subscriber.RegistrationSet) []string {
	var names []string
	for _, public := range set.Public {
		names = append(names, public.Identity)
	}

	return names
}

// terminateSet is TerminateRegistration for one implicit registration set.
func terminateSet(
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

	set.MarkNotRegistered()
	s.Release()

	if err := tx.SaveRegistration(s); err != nil || !located {
		return false, err
	}

	return true, tx.Queue(&subscriber.Push{
		Command: subscriber.RTR, ServerHost: host, PrivateIdentity: private.Identity, PublicIdentities: namesOf(set),
		Reason: uint32(reason), Info: info,
	})
}

// NewServerAssigned queues an RTR to the S-CSCF that another one has replaced (TS 29.228 §8.1.1).
func NewServerAssigned(tx *subscriber.Tx, who subscriber.Identities, host string) error {
	var publics []string

	for _, set := range who.Subscription.Sets {
		if set.State() != subscriber.NotRegistered { // it was registered at the other one
			publics = append(publics, namesOf(set)...)
		}
	}

	return tx.Queue(&subscriber.Push{
		Command: subscriber.RTR, ServerHost: host, PrivateIdentity: who.Private.Identity, OtherIdentities: who.Subscription.Others(who.Private),
		PublicIdentities: publics, Reason: uint32(cx.NewServerAssigned), Info: "now at " + who.Subscription.ServerName,
	})
}

// terminatePrivate is TerminateRegistration for one private identity; registrations of others stay.
func terminatePrivate(
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
