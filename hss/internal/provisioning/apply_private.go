package provisioning

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
)

func applyPrivate(tx *subscriber.Tx, s *subscriber.Subscription, documents []PrivateIdentity) error {
	var all []*subscriber.PrivateIdentity

	for i, d := range documents {
		at := fmt.Sprintf("private_identities[%d]", i)

		user, domain, _ := strings.Cut(d.Identity, "@")
		if user == "" || domain == "" || len(d.Identity) > maxText || strings.ContainsAny(d.Identity, " \t\r\n\x00<>\"") {
			return problem(at+".identity", "%q is not of the form user@realm", d.Identity)
		}

		if slices.ContainsFunc(all, func(p *subscriber.PrivateIdentity) bool { return p.Identity == d.Identity }) {
			return problem(at+".identity", "%s stands twice", d.Identity)
		}

		p := s.PrivateNamed(d.Identity)
		if p == nil {
			if d.Authentication == nil {
				return problem(at+".authentication", "a new private identity needs it")
			}

			p = &subscriber.PrivateIdentity{Identity: d.Identity}
		}

		if d.IMSI != "" {
			if err := digits(at+".imsi", d.IMSI, 6, 15); err != nil {
				return err
			}
		}

		if d.EPS != nil {
			if err := d.EPS.Validate(); err != nil {
				return problem(at+".eps", "%v", err)
			}

			d.EPS.Number(p.EPS)
		}

		p.IMSI, p.MSISDN, p.VisitedNetworks, p.EPS = d.IMSI, d.MSISDN, d.VisitedNetworks, d.EPS

		if d.Authentication != nil {
			if err := authenticate(tx, p, *d.Authentication); err != nil {
				return prefixed(at+".authentication", err)
			}
		}

		all = append(all, p)
	}

	s.Private = all

	return nil
}
