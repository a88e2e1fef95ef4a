// Package profile parses the User-Data that the HSS sends (TS 29.228 annex B) and lets users share equal service profiles.
package profile

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"weak"

	"github.com/dialtone-ims/dialtone/pkg/ere"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// Cache holds one copy of each service profile for as long as it is used.
type Cache struct {
	shared map[int][]ifc.InitialFilterCriterion

	mu     sync.Mutex
	byHash map[profileHash]weak.Pointer[registration.Profile]
}

type profileHash [sha256.Size]byte

// New returns an empty cache. shared are the sets of shared criteria (TS 29.228 annex B.2.2).
func New(shared map[int][]ifc.InitialFilterCriterion) *Cache {
	return &Cache{shared: shared, byHash: map[profileHash]weak.Pointer[registration.Profile]{}}
}

// Parse parses the User-Data of a SAA or PPR (TS 29.228 annex B). It returns the private identity and the public identities of the set,
// with their profiles. Criteria whose text is in use already are not parsed again.
func (p *Cache) Parse(userData []byte) (private string, identities []registration.Identity, err error) {
	if skeleton, criteria, ok := split(userData); ok {
		subscription, err := ifc.Parse(skeleton)
		if err == nil && len(subscription.ServiceProfiles) == len(criteria) {
			if known := p.cached(subscription, criteria); known != nil {
				return identitiesOf(subscription, known)
			}
		}
	}

	subscription, err := ifc.Parse(userData)
	if err != nil {
		return "", nil, err
	}

	compiled := make([]*registration.Profile, len(subscription.ServiceProfiles))

	for i := range subscription.ServiceProfiles {
		if compiled[i], err = p.compile(&subscription.ServiceProfiles[i]); err != nil {
			return "", nil, err
		}
	}

	if skeleton, criteria, ok := split(userData); ok {
		p.remember(subscription, skeleton, criteria, compiled)
	}

	return identitiesOf(subscription, compiled)
}

// cached returns the profiles in use for these criteria, or nil if one of them is not.
func (p *Cache) cached(skeleton *ifc.Subscription, criteria [][]byte) []*registration.Profile {
	found := make([]*registration.Profile, len(criteria))

	p.mu.Lock()
	defer p.mu.Unlock()

	for i := range criteria {
		hash, err := hashOf(&skeleton.ServiceProfiles[i], criteria[i])
		if err != nil {
			return nil
		}

		if found[i] = p.byHash[hash].Value(); found[i] == nil {
			return nil
		}
	}

	return found
}

// remember records profiles by the text of their criteria in the document, provided that the skeleton and the criteria together give the
// whole document.
func (p *Cache) remember(whole *ifc.Subscription, skeleton []byte, criteria [][]byte, compiled []*registration.Profile) {
	parts, err := ifc.Parse(skeleton)
	if err != nil || len(parts.ServiceProfiles) != len(compiled) || len(criteria) != len(compiled) {
		return
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	for i, profile := range compiled {
		hash, err := hashOf(&parts.ServiceProfiles[i], criteria[i])
		if err == nil && p.byHash[hash].Value() == nil && adds(&whole.ServiceProfiles[i], &parts.ServiceProfiles[i], criteria[i]) {
			p.put(hash, profile)
		}
	}
}

// adds reports whether a profile is its skeleton and these criteria.
func adds(whole, skeleton *ifc.ServiceProfile, criteria []byte) bool {
	alone, err := ifc.Parse(
		slices.Concat([]byte("<IMSSubscription><ServiceProfile><PublicIdentity><Identity>x</Identity></PublicIdentity>"), criteria,
			[]byte("</ServiceProfile></IMSSubscription>")),
	)
	if err != nil || len(alone.ServiceProfiles) != 1 {
		return false
	}

	joined := *skeleton
	joined.InitialFilterCriteria = slices.Concat(skeleton.InitialFilterCriteria, alone.ServiceProfiles[0].InitialFilterCriteria)

	want, wantErr := hashOf(whole, nil)
	got, gotErr := hashOf(&joined, nil)

	return wantErr == nil && gotErr == nil && want == got
}

// put adds a profile. It is called with the lock held.
func (p *Cache) put(hash profileHash, profile *registration.Profile) {
	p.byHash[hash] = weak.Make(profile)
	runtime.AddCleanup(profile, p.forget, hash)
}

// identitiesOf returns the public identities of a document with the profiles that serve them.
func identitiesOf(
	subscription *ifc.Subscription,
	compiled []*registration.Profile,
) (private string, identities []registration.Identity, err error) {
	for i := range subscription.ServiceProfiles {
		for _, public := range subscription.ServiceProfiles[i].PublicIdentities {
			identity, err := parseIdentity(public)
			if err != nil {
				return "", nil, err
			}

			identity.Profile = compiled[i]
			identities = append(identities, identity)
		}
	}

	return strings.Clone(strings.TrimSpace(subscription.PrivateID)), identities, nil
}

func parseIdentity(public ifc.PublicIdentity) (registration.Identity, error) {
	uri := strings.TrimSpace(public.Identity)
	identity := registration.Identity{Barred: public.Barred()}

	if public.Extension != nil {
		identity.DisplayName = strings.Clone(public.Extension.DisplayName)
	}

	if wildcard := public.Wildcard(); wildcard != "" {
		uri = wildcard
	}

	wildcard, err := ere.ParseWildcard(uri)
	if err != nil {
		return registration.Identity{}, err
	}

	if identity.Wildcard = wildcard; wildcard != nil {
		identity.URI = strings.Clone(uri)
		return identity, nil
	}

	if identity.URI, err = ims.CanonicalIdentity(uri); err != nil {
		return registration.Identity{}, fmt.Errorf("PublicIdentity: %w", err)
	}

	identity.URI = strings.Clone(identity.URI)

	return identity, nil
}

// compile returns the existing profile for equal services, or a new one.
func (p *Cache) compile(source *ifc.ServiceProfile) (*registration.Profile, error) {
	hash, err := hashOf(source, nil)
	if err != nil {
		return nil, err
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	if known := p.byHash[hash].Value(); known != nil {
		return known, nil
	}

	chain, err := ifc.Compile(*source, p.shared)
	if err != nil {
		return nil, err
	}

	profile := &registration.Profile{Chain: chain, Servers: p.servers(source), MediaProfile: registration.NoMediaProfile}
	if source.CoreNetworkServices != nil && source.CoreNetworkServices.SubscribedMediaProfileID != nil {
		profile.MediaProfile = *source.CoreNetworkServices.SubscribedMediaProfileID
	}

	if c := source.CoreNetworkServices; c != nil && c.Extension != nil {
		for _, id := range c.Extension.ServiceIDs {
			profile.Services = append(profile.Services, strings.Clone(strings.TrimSpace(id)))
		}
	}

	p.put(hash, profile)

	return profile, nil
}

// servers returns the application servers of a profile, its shared sets included.
func (p *Cache) servers(services *ifc.ServiceProfile) []string {
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

// forget removes the place of a profile that nobody uses any more, unless it was made anew.
func (p *Cache) forget(hash profileHash) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.byHash[hash].Value() == nil {
		delete(p.byHash, hash)
	}
}

// Count returns the number of different profiles in use.
func (p *Cache) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()

	different := map[*registration.Profile]struct{}{}

	for _, pointer := range p.byHash {
		if profile := pointer.Value(); profile != nil {
			different[profile] = struct{}{}
		}
	}

	return len(different)
}

// hashOf returns the hash of a profile's services, without the identities, which differ from user to user. criteria are those kept
// outside of it as text.
func hashOf(source *ifc.ServiceProfile, criteria []byte) (profileHash, error) {
	services := *source
	services.PublicIdentities = nil

	text, err := json.Marshal(&services)
	if err != nil {
		return profileHash{}, fmt.Errorf("service profile: %w", err)
	}

	h := sha256.New()
	_, _ = h.Write(text) // a hash never fails
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(criteria)

	return profileHash(h.Sum(nil)), nil
}
