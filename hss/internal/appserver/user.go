package appserver

import (
	"github.com/dialtone-ims/dialtone/hss/internal/shdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// find returns a query about the user of a request, and checks the steps that all procedures have in common (TS 29.328 §6.1.1.1, 2 to 3):
// the user is known, the private identity is one of the user's, and the data may be asked for by this kind of identity.
func find(tx *subscriber.Tx, user sh.UserIdentity, userName string, reference sh.DataReference) (q shdata.Query, err error) {
	q.Reference = reference

	switch {
	case user.PublicIdentity != "":
		err = byPublic(tx, user.PublicIdentity, &q)
	case user.MSISDN != nil:
		err = byMSISDN(tx, user.MSISDN, &q)
	case user.ExternalIdentifier != "":
		return q, refused(sh.ErrorUserUnknown, "no user has an External-Identifier")
	default:
		return q, &diameter.Error{
			Result: diameter.MissingAVP, Message: "User-Identity names nobody",
			Failed: &sh.FailedAVP{User: &sh.UserIdentity{PublicIdentity: "sip:user@example.org"}},
		}
	}

	if err != nil {
		return q, err
	}

	if userName != "" { // 2a
		q.Private = q.Subscription.PrivateNamed(userName)
		if q.Private == nil || q.Set != nil && q.Set.Registration(q.Private) == nil || q.Set == nil && trimmed(q.Private.MSISDN) != q.MSISDN {
			return q, refused(sh.ErrorIdentitiesDontMatch, "%s is no private identity of this user", userName)
		}
	}

	of := kindOf(reference) // 3

	switch service := q.Public != nil && q.Public.Kind == subscriber.Service; {
	case q.Public == nil && !of.number:
		return q, refused(sh.ErrorOperationNotAllowed, "Data-Reference %d is not for an MSISDN", reference)
	case service && !of.service:
		return q, refused(sh.ErrorOperationNotAllowed, "Data-Reference %d is not for a service", reference)
	case q.Public != nil && !service && !of.user:
		return q, refused(sh.ErrorOperationNotAllowed, "Data-Reference %d is not for a user", reference)
	}

	return q, nil
}

func byPublic(tx *subscriber.Tx, identity string, q *shdata.Query) error {
	if plain, err := ims.CanonicalIdentity(identity); err == nil {
		identity = plain
	}

	who, err := tx.Identities("", identity)
	if err != nil {
		return err
	}

	if who.Public == nil {
		return refused(sh.ErrorUserUnknown, "nobody has the public identity %s", identity)
	}

	q.Subscription, q.Public, q.Set, q.Asked = who.Subscription, who.Public, who.Set, identity

	return nil
}

func byMSISDN(tx *subscriber.Tx, octets []byte, q *shdata.Query) error {
	number, valid := sh.Number(octets)
	if !valid {
		return &diameter.Error{
			Result: diameter.InvalidAVPValue, Message: "MSISDN is digits, two to an octet (TS 29.329 §6.3.2)",
			Failed: &sh.FailedAVP{User: &sh.UserIdentity{MSISDN: octets}},
		}
	}

	subscription, private, err := tx.ByMSISDN(number)
	if err != nil {
		return err
	}

	if private == nil {
		return refused(sh.ErrorUserUnknown, "no SIM has the MSISDN %s", number)
	}

	q.Subscription, q.MSISDN = subscription, number

	return nil
}
