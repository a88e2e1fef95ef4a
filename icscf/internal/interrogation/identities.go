package interrogation

import (
	"fmt"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// registering identifies the user of a REGISTER (TS 24.229 §5.3.1.2): by the public identity in To and the private identity in
// Authorization, which is derived from the public one when the handset sends no Authorization.
type registering struct {
	public, private string
	visited         string
	credentials     digest.Credentials
}

func identities(request *sip.Request, homeDomain string) (registering, error) {
	to, err := sip.ParseNameAddr(sip.Value(request, "To"))
	if err != nil {
		return registering{}, err
	}

	public, err := ims.CanonicalIdentity(to.URI)
	if err != nil {
		return registering{}, err
	}

	r := registering{public: public, private: ims.PrivateFromPublic(public), visited: homeDomain}

	if value := digest.Offered(sip.Values(request, "Authorization")); value != "" {
		if r.credentials, err = digest.ParseCredentials(value); err != nil {
			return registering{}, err
		}

		if r.credentials.Username != "" {
			r.private = r.credentials.Username
		}
	}

	networks, err := ims.ParseVisitedNetworks(sip.Values(request, "P-Visited-Network-ID")...)
	if err != nil {
		return registering{}, fmt.Errorf("P-Visited-Network-ID: %w", err)
	}

	if len(networks) > 0 {
		r.visited = networks[0].ID
	}

	return r, nil
}

// query returns the UAR (TS 29.228 §6.1.1). The HSS does not refuse an emergency registration for barring or roaming.
func (r registering) query(request *sip.Request) *cx.UAR {
	q := &cx.UAR{
		UserName:       r.private,
		PublicIdentity: r.public,
		VisitedNetwork: r.visited,
		Type:           authorizationType(request),
	}

	if emergency.Registers(request) {
		q.Flags = cx.EmergencyRegistration
	}

	return q
}

// authorizationType returns DE_REGISTRATION when every contact of the REGISTER expires at once (TS 24.229 §5.3.1.2).
func authorizationType(request *sip.Request) cx.UserAuthorizationType {
	contacts, star, err := sip.Contacts(request)
	if err != nil {
		return cx.Registration // the S-CSCF refuses it in the right words
	}

	if star {
		return cx.DeRegistration
	}

	if len(contacts) == 0 {
		return cx.Registration
	}

	otherwise := strings.TrimSpace(sip.Value(request, "Expires"))
	for _, contact := range contacts {
		expires, given := contact.Params.Get("expires")
		if !given {
			expires = otherwise
		}

		if strings.Trim(expires, "0") != "" || expires == "" {
			return cx.Registration
		}
	}

	return cx.DeRegistration
}
