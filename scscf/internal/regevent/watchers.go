package regevent

import (
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// assertedBy returns the URIs of P-Asserted-Identity.
func assertedBy(r *sip.Request) []string {
	var uris []string

	for _, value := range sip.Values(r, "P-Asserted-Identity") {
		if a, err := sip.ParseNameAddr(value); err == nil {
			uris = append(uris, a.URI)
		}
	}

	return uris
}

// allowed returns who a watcher is: the user, a P-CSCF that the user registered through, an application server of the user's profile, or
// a host that the operator trusts (TS 24.229 §5.4.2.1.1). Only P-Asserted-Identity counts.
func (s *Server) allowed(r *sip.Request, user registration.User) (watcher string, ok bool) {
	for _, asserted := range assertedBy(r) {
		if canonical, err := ims.CanonicalIdentity(asserted); err == nil {
			if identity := user.Find(canonical); identity != nil && !identity.Barred {
				return "handset " + canonical, true
			}
		}

		host := hostOf(asserted)

		for _, b := range user.Bindings {
			for _, path := range b.Path {
				if a, err := sip.ParseNameAddr(path); err == nil && host.is(a.URI) {
					return "P-CSCF " + asserted, true
				}
			}
		}

		for _, server := range serversOf(user) {
			if host.is(server) {
				return "application server " + asserted, true
			}
		}

		if slices.ContainsFunc(
			s.policy.Trusted,
			func(trusted string) bool { return host.name != "" && strings.EqualFold(trusted, host.name) },
		) {
			return "trusted " + asserted, true
		}
	}

	return "", false
}

func serversOf(user registration.User) []string {
	if user.Public.Profile == nil {
		return nil
	}

	return user.Public.Profile.Servers
}

// host is the host that a URI leads to.
type host struct {
	name string
	port int // 0: not given
}

func hostOf(uri string) host {
	u, err := sip.ParseURI(uri)
	if err != nil || u.Scheme != "sip" && u.Scheme != "sips" {
		return host{}
	}

	return host{strings.ToLower(u.Host), u.Port}
}

// is compares hosts; a port that is not given matches any.
func (h host) is(uri string) bool {
	other := hostOf(uri)

	return h.name != "" && h.name == other.name && (h.port == 0 || other.port == 0 || h.port == other.port)
}
