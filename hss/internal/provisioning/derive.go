package provisioning

import (
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// DefaultProfile is the service profile of identities for which none is named.
const DefaultProfile = "default"

// derive makes the identities of a subscriber from its IMSI and MSISDN (TS 23.003 §13.3, §13.4, §13.4B). The identity made of the IMSI
// serves registration only: it is barred for everything else. Without an MSISDN it is the only one, and not barred.
func (n *NewSubscriber) derive(domain string) error {
	n.MSISDN = strings.TrimPrefix(n.MSISDN, "+")

	private := PrivateIdentity{
		IMSI: n.IMSI, MSISDN: n.MSISDN, Authentication: &n.Authentication, VisitedNetworks: n.VisitedNetworks, EPS: n.EPS,
	}

	var public []PublicIdentity

	switch {
	case n.IMSI != "" && n.User != "":
		return problem("imsi and user", "a subscriber has a SIM or is a user of its own; give one of them")
	case n.IMSI != "":
		if err := digits("imsi", n.IMSI, 6, 15); err != nil {
			return err
		}

		private.Identity = ims.PrivateIdentity(n.IMSI, domain)
		public = append(public, PublicIdentity{Identity: ims.TemporaryPublicIdentity(n.IMSI, domain), Barred: n.MSISDN != ""})
	case strings.Contains(n.User, "@"):
		return problem("user", "%q has a domain: give the user without it, it gets %s", n.User, domain)
	case n.User != "" && n.Authentication == (Authentication{}):
		return problem("password", "a user without a SIM needs one")
	case n.User != "":
		private.Identity = n.User + "@" + domain
		public = append(public, PublicIdentity{Identity: "sip:" + private.Identity})
	default:
		return problem("imsi", "an imsi, a user or private_identities is needed")
	}

	if n.MSISDN != "" {
		if err := digits("msisdn", n.MSISDN, 3, 15); err != nil {
			return err
		}

		public = append(public,
			PublicIdentity{Identity: "sip:+" + n.MSISDN + "@" + domain},
			PublicIdentity{Identity: "tel:+" + n.MSISDN},
		)
	}

	profile := n.ServiceProfile
	if profile == "" {
		profile = DefaultProfile
	}

	for i := range public {
		public[i].DisplayName, public[i].ServiceProfile = n.DisplayName, profile
	}

	if n.Name == "" {
		n.Name = n.IMSI + n.User
	}

	n.PrivateIdentities = []PrivateIdentity{private}
	n.RegistrationSets = []RegistrationSet{{Number: 1, PublicIdentities: public}}

	return nil
}

// document returns the subscriber that the POST creates.
func (n NewSubscriber) document(domain string) (Subscriber, error) {
	explicit := len(n.PrivateIdentities) > 0 || len(n.RegistrationSets) > 0

	switch {
	case explicit && (n.IMSI != "" || n.User != "" || n.Authentication != (Authentication{})):
		return Subscriber{}, problem("private_identities", "give the identities, or imsi or user to have them derived, not both")
	case !explicit:
		if err := n.derive(domain); err != nil {
			return Subscriber{}, err
		}
	case n.Name == "" && len(n.PrivateIdentities) > 0:
		n.Name = n.PrivateIdentities[0].Identity
	}

	return Subscriber{
		Name: n.Name, PrivateIdentities: n.PrivateIdentities, RegistrationSets: n.RegistrationSets,
		Capabilities: n.Capabilities, Charging: n.Charging,
	}, nil
}

func digits(field, value string, shortest, longest int) error {
	if len(value) < shortest || len(value) > longest {
		return problem(field, "%q has %d digits, not %d to %d", value, len(value), shortest, longest)
	}

	for _, c := range value {
		if c < '0' || c > '9' {
			return problem(field, "%q has something else than digits", value)
		}
	}

	return nil
}

// kindOf returns the kind of an identity, a user's unless given.
func kindOf(p PublicIdentity) subscriber.Kind {
	if p.Kind == "" {
		return subscriber.User
	}

	return p.Kind
}
