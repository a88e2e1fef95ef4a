// Package shdata derives the documents that application servers get of a user (TS 29.328 §7.6). Both the procedures of Sh and the
// notifications of the HSS use it.
package shdata

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
)

// Query is what an application server asks for, and of whom (TS 29.328 table 7.6.1).
type Query struct {
	Subscription *subscriber.Subscription
	Public       *subscriber.PublicIdentity // nil: the user is named by MSISDN
	Set          *subscriber.RegistrationSet
	Asked        string                      // the public identity as it is named: one for which a wildcarded one may stand
	MSISDN       string                      // digits
	Private      *subscriber.PrivateIdentity // that alone; nil: all that go with the identity

	Reference   sh.DataReference
	Service     string // Service-Indication
	Server      string // Server-Name
	IdentitySet sh.IdentitySet
	Domain      *uint32
	Nodes       uint32
}

// Of returns the data that a query asks for, and whether there is any: without it, the document says so where the schema has a way to.
func Of(tx *subscriber.Tx, q Query) (data *sh.Data, there bool, err error) {
	data = new(sh.Data)

	switch q.Reference {
	case sh.ReferenceRepositoryData:
		return repository(tx, q)
	case sh.ReferenceIMSPublicIdentity:
		data.Identifiers = identities(q)
		there = len(data.Identifiers.Identities) > 0
	case sh.ReferenceIMSUserState:
		state := UserState(q.Set)
		data.IMS, there = &sh.IMSData{UserState: &state}, true
	case sh.ReferenceSCSCFName:
		data.IMS, there = &sh.IMSData{SCSCFName: &q.Subscription.ServerName}, q.Subscription.ServerName != ""
	case sh.ReferenceFilterCriteria:
		return filterCriteria(tx, q)
	case sh.ReferenceCharging:
		data.IMS, there = charging(q.Subscription)
	case sh.ReferenceMSISDN:
		data.Identifiers = &sh.Identifiers{
			MSISDNs: values(q, func(p *subscriber.PrivateIdentity) string { return strings.TrimPrefix(p.MSISDN, "+") }),
		}
		there = len(data.Identifiers.MSISDNs) > 0
	case sh.ReferenceIMSI:
		if all := values(q, func(p *subscriber.PrivateIdentity) string { return p.IMSI }); len(all) > 0 {
			data.IMSI, there = all[0], true
		}
	case sh.ReferencePrivateIdentity:
		data.PrivateIdentities = values(q, func(p *subscriber.PrivateIdentity) string { return p.Identity })
		there = len(data.PrivateIdentities) > 0
	case sh.ReferenceIMEISV:
		if all := values(q, func(p *subscriber.PrivateIdentity) string { return imei(p.MME.IMEI) }); len(all) > 0 {
			data.IMEISV, there = all[0], true
		}
	case sh.ReferenceLocationInformation, sh.ReferenceUserState:
		there = location(q, data)
	}

	return data, there, nil
}

// Digest identifies a document, to see whether another one says anything new.
func Digest(document []byte) string {
	sum := sha256.Sum256(document)

	return hex.EncodeToString(sum[:])
}

// privates returns the private identities that a query is about.
func privates(q Query) (all []*subscriber.PrivateIdentity) {
	for _, p := range q.Subscription.Private {
		switch {
		case q.Private != nil && p != q.Private:
		case q.Set != nil && q.Set.Registration(p) == nil:
		case q.Set == nil && strings.TrimPrefix(p.MSISDN, "+") != q.MSISDN:
		default:
			all = append(all, p)
		}
	}

	return all
}

// values returns what the private identities of a query have, without what is empty.
func values(q Query, of func(*subscriber.PrivateIdentity) string) (all []string) {
	for _, p := range privates(q) {
		if value := of(p); value != "" && !slices.Contains(all, value) {
			all = append(all, value)
		}
	}

	return all
}

// imei returns an IMEI as the schema has it: 14 digits, or 16 with the software version (TS 29.328 table D.2 note 6).
func imei(text string) string {
	if len(text) == 15 { // the check digit is no part of it
		return text[:14]
	}

	return text
}

// UserState returns the IMSUserState of the identities of a set (TS 29.328 §7.6.3): the best that one of the private identities gives it.
func UserState(set *subscriber.RegistrationSet) int {
	switch set.State() {
	case subscriber.Registered:
		return sh.StateRegistered
	case subscriber.Unregistered:
		return sh.StateUnregisteredServices
	default:
		if slices.ContainsFunc(set.Registrations, func(r *subscriber.Registration) bool { return r.AuthPending }) {
			return sh.StateAuthenticationPending
		}

		return sh.StateNotRegistered
	}
}

// charging returns the names of the charging functions (TS 29.328 §7.6.8), of which a primary one is needed.
func charging(s *subscriber.Subscription) (*sh.IMSData, bool) {
	c := sh.ChargingInformation{
		PrimaryEvent: s.Charging.PrimaryEventChargingFunction, SecondaryEvent: s.Charging.SecondaryEventChargingFunction,
		PrimaryCollection: s.Charging.PrimaryChargingCollectionFunction, SecondaryCollection: s.Charging.SecondaryChargingCollectionFunction,
	}

	return &sh.IMSData{Charging: &c}, c.PrimaryEvent != "" || c.PrimaryCollection != ""
}

// location fills in where a SIM is attached, or whether it is (TS 29.328 §7.6.6, §7.6.7), as the HSS knows it: no MME is asked.
func location(q Query, data *sh.Data) bool {
	if q.Domain != nil && *q.Domain == sh.CircuitSwitched || q.Nodes != 0 && q.Nodes&sh.NodeMME == 0 {
		return false
	}

	var mme *subscriber.Location

	all := privates(q)

	for _, p := range all { // that of the last update, if several are attached
		if l := &p.MME; l.Served() && (mme == nil || l.Since.After(mme.Since)) {
			mme = l
		}
	}

	switch {
	case q.Reference == sh.ReferenceUserState && len(all) > 0:
		state := sh.EPSDetached
		if mme != nil {
			state = sh.EPSNotProvided
		}

		data.EPSUserState = &state

		return true
	case mme == nil:
		return false
	default:
		data.EPSLocation = &sh.EPSLocation{MMEName: mme.Host, PLMN: strings.ReplaceAll(mme.PLMN, "-", "")}
		return true
	}
}
