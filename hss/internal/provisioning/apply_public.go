package provisioning

import (
	"errors"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

func applyPublic(
	tx *subscriber.Tx,
	p *subscriber.PublicIdentity,
	d PublicIdentity,
	profiles map[string]*subscriber.ServiceProfile,
) (*subscriber.PublicIdentity, error) {
	identity, err := canonical(d.Identity)

	switch {
	case err != nil:
		return nil, err
	case kindOf(d) != subscriber.User && kindOf(d) != subscriber.Service:
		return nil, problem("kind", "%q is neither user nor service", d.Kind)
	case d.ApplicationServer != "" && kindOf(d) != subscriber.Service:
		return nil, problem("application_server", "only a service is routed to one directly")
	case len(d.DisplayName) > maxText:
		return nil, problem("display_name", "longer than %d characters", maxText)
	case len(d.AliasGroup) > maxText:
		return nil, problem("alias_group", "longer than %d characters", maxText)
	}

	if p == nil {
		p = new(subscriber.PublicIdentity)
	}

	p.Identity, p.Kind, p.DisplayName, p.Barred = identity, kindOf(d), d.DisplayName, d.Barred
	p.MayRegister = d.MayRegister == nil || *d.MayRegister
	p.AliasGroup, p.ApplicationServer = d.AliasGroup, d.ApplicationServer
	p.Wildcard = strings.Contains(identity, "!")
	p.ProfileID, p.Profile = 0, nil

	if p.Wildcard {
		if err := subscriber.CheckWildcard(identity); err != nil {
			return nil, problem("identity", "%s: %v", identity, err)
		}
	}

	if d.ServiceProfile == "" {
		return p, nil
	}

	profile := profiles[d.ServiceProfile]
	if profile == nil {
		profile, err = tx.Profile(d.ServiceProfile)

		switch {
		case errors.Is(err, subscriber.ErrNotFound):
			return nil, problem("service_profile", "there is no service profile %q", d.ServiceProfile)
		case err != nil:
			return nil, err
		}

		profiles[d.ServiceProfile] = profile
	}

	p.ProfileID, p.Profile = profile.ID, profile

	return p, nil
}

// canonical returns a public identity (TS 23.003 §13.4) in the form in which CSCFs ask for it, or an error if it is none.
func canonical(identity string) (string, error) {
	if len(identity) > maxText || strings.ContainsAny(identity, " \t\r\n\x00<>\"") {
		return "", problem("identity", "%q is no sip: or tel: URI", identity)
	}

	if strings.Contains(identity, "!") {
		if !strings.HasPrefix(identity, "sip:") && !strings.HasPrefix(identity, "tel:") {
			return "", problem("identity", "%q is no sip: or tel: URI", identity)
		}

		return identity, nil
	}

	plain, err := ims.CanonicalIdentity(identity)

	switch {
	case err != nil || strings.HasPrefix(identity, "sips:"):
		return "", problem("identity", "%q is no sip: or tel: URI", identity)
	case strings.ContainsAny(identity, ";?"):
		return "", problem("identity", "%q has parameters, which identities do not have", identity)
	case strings.HasPrefix(plain, "tel:") && !strings.HasPrefix(plain, "tel:+"):
		return "", problem("identity", "%q is no international number: tel:+…", identity)
	default:
		return plain, nil
	}
}
