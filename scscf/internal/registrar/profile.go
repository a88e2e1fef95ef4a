package registrar

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unique"
	"weak"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// profiles compiles service profiles and keeps one copy of each for as long as somebody has it.
type profiles struct {
	shared map[int][]ifc.InitialFilterCriterion

	mu     sync.Mutex
	byHash map[[sha256.Size]byte]weak.Pointer[Profile]
}

func newProfiles(shared map[int][]ifc.InitialFilterCriterion) *profiles {
	return &profiles{shared: shared, byHash: map[[sha256.Size]byte]weak.Pointer[Profile]{}}
}

// read takes the User-Data of a SAA or PPR apart: the private identity that it names, and the identities of the set with
// their profiles (TS 29.228 annex B).
func (p *profiles) read(userData []byte) (private string, identities []Identity, err error) {
	subscription, err := ifc.Parse(userData)
	if err != nil {
		return "", nil, err
	}

	for i := range subscription.ServiceProfiles {
		source := &subscription.ServiceProfiles[i]

		profile, err := p.compile(source)
		if err != nil {
			return "", nil, err
		}

		for _, public := range source.PublicIdentities {
			identity, err := readIdentity(public)
			if err != nil {
				return "", nil, err
			}

			identity.Profile = profile
			identities = append(identities, identity)
		}
	}

	return strings.Clone(strings.TrimSpace(subscription.PrivateID)), identities, nil
}

func readIdentity(public ifc.PublicIdentity) (Identity, error) {
	uri := strings.TrimSpace(public.Identity)
	identity := Identity{Barred: public.Barred()}

	if public.Extension != nil {
		identity.DisplayName = strings.Clone(public.Extension.DisplayName)

		if wildcard := strings.TrimSpace(public.Extension.WildcardedIdentity); wildcard != "" {
			uri = wildcard
		}
	}

	wildcard, err := parseWildcard(uri)
	if err != nil {
		return Identity{}, err
	}

	if identity.Wildcard = wildcard; wildcard != nil {
		identity.URI = strings.Clone(uri)
		return identity, nil
	}

	if identity.URI, err = ims.CanonicalIdentity(uri); err != nil {
		return Identity{}, fmt.Errorf("PublicIdentity: %w", err)
	}

	identity.URI = strings.Clone(identity.URI)

	return identity, nil
}

// compile gives the profile that is there already for equal criteria, or makes it.
func (p *profiles) compile(source *ifc.ServiceProfile) (*Profile, error) {
	services := *source
	services.PublicIdentities = nil // what differs from user to user

	hash, err := hashOf(&services)
	if err != nil {
		return nil, err
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	if known := p.byHash[hash].Value(); known != nil {
		return known, nil
	}

	chain, err := ifc.Compile(services, p.shared)
	if err != nil {
		return nil, err
	}

	profile := &Profile{Chain: chain, Servers: p.servers(&services), MediaProfile: NoMediaProfile}
	if services.CoreNetworkServices != nil && services.CoreNetworkServices.SubscribedMediaProfileID != nil {
		profile.MediaProfile = *services.CoreNetworkServices.SubscribedMediaProfileID
	}

	p.byHash[hash] = weak.Make(profile)
	runtime.AddCleanup(profile, p.forget, hash)

	return profile, nil
}

// servers are the application servers of a profile, its shared sets included.
func (p *profiles) servers(services *ifc.ServiceProfile) []string {
	criteria := slices.Clone(services.InitialFilterCriteria)

	if services.Extension != nil {
		for _, id := range services.Extension.SharedIFCSetIDs {
			criteria = append(criteria, p.shared[id]...)
		}
	}

	var servers []string

	for _, c := range criteria {
		if uri := strings.TrimSpace(c.ApplicationServer.ServerName); !slices.Contains(servers, uri) {
			servers = append(servers, uri)
		}
	}

	return servers
}

// forget drops the place of a profile that nobody has any more, unless it was made anew.
func (p *profiles) forget(hash [sha256.Size]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.byHash[hash].Value() == nil {
		delete(p.byHash, hash)
	}
}

func (p *profiles) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()

	return len(p.byHash)
}

func hashOf(services *ifc.ServiceProfile) ([sha256.Size]byte, error) {
	text, err := json.Marshal(services)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("service profile: %w", err)
	}

	return sha256.Sum256(text), nil
}

// chargingOf is the one copy of these charging functions; the zero handle if there are none.
func chargingOf(c *cx.ChargingInformation) chargingHandle {
	if c == nil {
		return chargingHandle{}
	}

	return unique.Make(ChargingInfo{
		EventPrimary: c.PrimaryEventChargingFunction, EventSecondary: c.SecondaryEventChargingFunction,
		CollectionPrimary: c.PrimaryChargingCollectionFunction, CollectionSecondary: c.SecondaryChargingCollectionFunction,
	})
}
