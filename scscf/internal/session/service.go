package session

import (
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// assertService removes P-Preferred-Service and asserts its first service that the subscription has, so that criteria can look at it (TS
// 24.229 §5.4.3.2, RFC 6050 §4). A user without a list of services in the subscription may have any. A service that an application server
// has asserted stays.
func (s *Server) assertService(out *sip.Request, user registration.User) {
	preferred := sip.Values(out, "P-Preferred-Service")
	if len(preferred) == 0 {
		return
	}

	sip.Remove(out, "P-Preferred-Service")

	if sip.Has(out, "P-Asserted-Service") {
		return
	}

	subscribed := user.Public.Profile.Services

	for _, value := range preferred {
		service, ok := ims.Service(value)
		if !ok || len(subscribed) > 0 && !slices.ContainsFunc(subscribed, func(s string) bool { return ims.Includes(s, service) }) {
			continue
		}

		sip.Set(out, "P-Asserted-Service", service)

		return
	}

	s.log.Info("a preferred service is not asserted: it is none that the user has", "impu", user.Public.URI, "preferred", preferred)
}
