package session

import (
	"context"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/call"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// terminate serves an initial request to a user of this S-CSCF (TS 24.229 §5.4.3.3).
func (s *Server) terminate(ctx context.Context, r *request) {
	public, err := ims.CanonicalIdentity(r.requested)
	if err != nil {
		s.refuse(r.tx, "terminating", sip.Refusef(404, "%v", err))
		return
	}

	user, found := s.registrations.Lookup(public)
	if !found {
		if user, err = s.registrations.FetchUnregistered(ctx, public); err != nil {
			s.refuse(r.tx, "terminating", unserved(public, err))
			return
		}
	}

	if user.Public.Barred {
		s.refuse(r.tx, "terminating", sip.Refusef(404, "%s is barred", public))
		return
	}

	s.serve(ctx, r, &served{side: call.Terminating, user: user, public: public}, -1)
}

// contacts returns the branches to the handsets of the called user: equal preferences ring together, higher ones first (RFC 3261 §16.6,
// TS 24.229 §5.4.3.3 8). Each goes along the Path of its registration.
func contacts(out *sip.Request, user registration.User, callback bool) ([][]stack.Branch, error) {
	called := out.Recipient.String()

	var groups [][]stack.Branch

	preference := uint16(0)

	alive := user.Contacts(time.Now(), callback)

	for _, b := range alive {
		target, err := sip.ParseURI(b.Contact)
		if err != nil {
			continue
		}

		r := sip.Copy(out)
		r.Recipient = target

		routes := make([]sip.NameAddr, 0, len(b.Path))
		for _, path := range b.Path {
			if a, err := sip.ParseNameAddr(path); err == nil {
				routes = append(routes, a)
			}
		}

		sip.SetRoutes(r, routes)
		sip.Set(r, "P-Called-Party-ID", "<"+called+">")

		branch := stack.Branch{Request: r, Label: b.Contact}
		if superseded(b, target.Host, alive) {
			branch.Doubtful = doubtTime
		}

		if len(groups) == 0 || b.Q != preference {
			groups, preference = append(groups, nil), b.Q
		}

		groups[len(groups)-1] = append(groups[len(groups)-1], branch)
	}

	if len(groups) == 0 {
		return nil, errNoContact
	}

	return groups, nil
}

// doubtTime is how long a contact that is probably gone may hold up the response of the others. By then a handset that is there has got
// four copies of the INVITE, and has rung.
const doubtTime = 4 * time.Second

// superseded reports whether a contact is probably gone: the same user registered again from the same host, later and for longer, and
// neither contact has an instance that identifies its handset (RFC 5626 §4.1). It may be a second handset behind one address, so it is
// called too; but its silence is not waited for when the others have declined.
func superseded(b *registration.Binding, host string, alive []*registration.Binding) bool {
	if b.Instance != "" {
		return false
	}

	for _, other := range alive {
		if other.Instance != "" || other.Private != b.Private || !other.Registered.After(b.Registered) || !other.Expires.After(b.Expires) {
			continue
		}

		if u, err := sip.ParseURI(other.Contact); err == nil && strings.EqualFold(u.Host, host) {
			return true
		}
	}

	return false
}
