package administration

import "github.com/dialtone-ims/dialtone/hss/internal/subscriber"

// pushProfile queues a PPR for each set meant whose profile an S-CSCF holds (TS 29.228 §6.2.2). The profile is read when the PPR is sent,
// so that the S-CSCF never gets an older profile after a newer one.
func pushProfile(tx *subscriber.Tx, s *subscriber.Subscription, meant func(*subscriber.RegistrationSet) bool) error {
	for _, set := range s.Sets {
		private := holder(set)
		if set.State() == subscriber.NotRegistered || len(set.Public) == 0 || private == nil || !meant(set) {
			continue
		}

		err := tx.Queue(&subscriber.Push{
			Command: subscriber.PPR, ServerHost: s.ServerHost, PrivateIdentity: private.Identity,
			PublicIdentities: []string{set.Public[0].Identity},
		})
		if err != nil {
			return err
		}
	}

	return nil
}

// holder returns the private identity that a PPR for the set names: one that is registered, else any.
func holder(set *subscriber.RegistrationSet) *subscriber.PrivateIdentity {
	for _, r := range set.Registrations {
		if r.Registered {
			return r.Private
		}
	}

	if len(set.Registrations) > 0 {
		return set.Registrations[0].Private
	}

	return nil
}
