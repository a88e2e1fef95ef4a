package session

import (
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// canonicalise writes the user part of a Request-URI of the home network in the one way that it is compared in, without password and
// without escapes that need not be (RFC 3261 §19.1.4), before criteria look at it, it is priced, or it is routed. What is another
// network's is not touched.
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
		return // who has to find the user says what is wrong with it
	}

	u.User, _, _ = strings.Cut(strings.TrimPrefix(canonical, "sip:"), "@")
	u.Password = ""
	out.Recipient = u
}

// called returns who is called as the OCS is told of it: what it prices by must not depend on the way that it is written.
func called(u sip.Uri) string {
	written := u.String()

	if number := ims.Number(written); number != "" && strings.ContainsAny(written, "%") || u.Password != "" {
		if canonical, err := ims.CanonicalIdentity(written); err == nil {
			return canonical
		}
	}

	return written
}
