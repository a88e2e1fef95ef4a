package session

import (
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// canonicalise writes the user part of a Request-URI of the home network in its one canonical form, without a password and without
// needless escapes (RFC 3261 §19.1.4), before criteria look at it, it is charged, or it is routed. The Request-URI of another network is
// not changed.
func (s *Server) canonicalise(out *sip.Request) {
	u := out.Recipient

	switch {
	case u.Scheme == "tel" || !s.ours(u):
		return
	case u.Password == "" && !strings.ContainsAny(u.User, "%:"):
		return
	}

	canonical, err := ims.CanonicalIdentity("sip:" + u.User + "@" + s.config.HomeDomain)
	if err != nil {
		return // the function that looks up the user reports the fault
	}

	u.User, _, _ = strings.Cut(strings.TrimPrefix(canonical, "sip:"), "@")
	u.Password = ""
	out.Recipient = u
}

// called returns the called party for the OCS: its tariff must not depend on the way the URI is written.
func called(u sip.Uri) string {
	written := u.String()

	if number := ims.Number(written); number != "" && strings.ContainsAny(written, "%") || u.Password != "" {
		if canonical, err := ims.CanonicalIdentity(written); err == nil {
			return canonical
		}
	}

	return written
}
