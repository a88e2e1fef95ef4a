package shdata

import (
	"slices"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
)

// identities returns the public identities of an identity set that are not barred (TS 29.328 §7.6.2).
func identities(q Query) *sh.Identifiers {
	found := &sh.Identifiers{}

	add := func(set *subscriber.RegistrationSet, meant func(*subscriber.PublicIdentity) bool) {
		for _, p := range set.Public {
			if !p.Barred && (meant == nil || meant(p)) && !slices.Contains(found.Identities, p.Identity) {
				found.Identities = append(found.Identities, p.Identity)
			}
		}
	}

	service := q.Public != nil && q.Public.Kind == subscriber.Service

	switch {
	case service && q.IdentitySet == sh.RegisteredIdentities:
	case service && (q.IdentitySet == sh.ImplicitIdentities || len(privates(q)) == 0):
		found.Identities, found.Extension = []string{q.Asked}, kind(q.Public)
	case q.Set != nil && q.IdentitySet == sh.ImplicitIdentities:
		add(q.Set, nil)
	case q.Set != nil && q.IdentitySet == sh.AliasIdentities:
		add(q.Set, func(p *subscriber.PublicIdentity) bool {
			return p == q.Public || q.Public.AliasGroup != "" && p.AliasGroup == q.Public.AliasGroup
		})
	case q.IdentitySet == sh.AllIdentities || q.IdentitySet == sh.RegisteredIdentities:
		for _, set := range q.Subscription.Sets {
			used := slices.ContainsFunc(privates(q), func(p *subscriber.PrivateIdentity) bool { return set.Registration(p) != nil })
			if used && (q.IdentitySet == sh.AllIdentities || set.State() == subscriber.Registered) {
				add(set, nil)
			}
		}
	}

	return found
}

// kind returns what kind of service identity the only one is; nil for a distinct one of a user.
func kind(p *subscriber.PublicIdentity) *sh.IdentifiersExtension {
	if p.Wildcard {
		return &sh.IdentifiersExtension{IdentityType: sh.WildcardedPSI, WildcardedPSI: p.Identity}
	}

	return &sh.IdentifiersExtension{IdentityType: sh.DistinctPSI}
}
