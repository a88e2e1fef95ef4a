// Package eps answers the HSS's S6a requests (TS 29.272 §5): AIR, ULR, PUR and NOR. Each procedure is a file: a decision on what the store
// knows, without I/O, and a few lines that load and save around it.
package eps

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/hss/internal/authentication"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// Policy is what the specification leaves to the operator.
type Policy struct {
	MaxVectors int `yaml:"max_vectors"` // in one AIA, however many the MME asks for

	subscriber.EPS `yaml:",inline"` // of SIMs without their own
}

// Server answers the S6a commands.
type Server struct {
	store  *subscriber.Store
	policy Policy
	wake   func()
	centre *authentication.Centre
	log    *slog.Logger

	attempts *attempt.Log
	domain   string
}

// Options are what a Server needs.
type Options struct {
	Store  *subscriber.Store
	Wake   func() // called when a CLR has been queued
	Centre *authentication.Centre
	Log    *slog.Logger

	Attempts *attempt.Log
	Domain   string // of the private identities of SIMs that are not known
}

// New returns a Server. Serve registers it with a node.
func New(p Policy, o Options) *Server {
	return &Server{
		store: o.Store, policy: p, wake: o.Wake, centre: o.Centre, log: o.Log, attempts: o.Attempts, domain: o.Domain,
	}
}

// features is list 1 of this HSS (TS 29.272 §7.3.10).
const features = s6a.FeatureRegionalSubscription

// Serve registers the handlers of S6a with a node, which must not run yet.
func (s *Server) Serve(n *diameter.Node) {
	cx.Handle(n, features, s.authenticationInformation)
	cx.Handle(n, features, s.updateLocation)
	cx.Handle(n, features, s.purgeUE)
	cx.Handle(n, features, s.notify)
}

func refused(result diameter.Result, format string, arguments ...any) error {
	return &diameter.Error{Result: result, Message: fmt.Sprintf(format, arguments...)}
}

func unknown(imsi string) error {
	return refused(s6a.ErrorUserUnknown, "no private identity has the IMSI %s", imsi)
}

func noSubscription(imsi string) error {
	return refused(s6a.ErrorUnknownEPSSubscription, "%s has no EPS subscription: no APN, or no SIM", imsi)
}

func noRoaming(imsi string, plmn s6a.PLMN) error {
	return refused(s6a.ErrorRoamingNotAllowed, "%s may not be served in %s", imsi, plmn)
}

// remember records what a SIM has tried by an MME. p is the SIM's identity, or nil if it is not known.
func (s *Server) remember(began time.Time, p *subscriber.PrivateIdentity, imsi string, kind attempt.Kind, err error) {
	private := ims.PrivateIdentity(imsi, s.domain)
	if p != nil {
		private = p.Identity
	}

	s.attempts.Record(began, private, "", kind, s6a.Success, err)
}

// visited parses the network of the MME.
func visited(octets []byte) (s6a.PLMN, error) {
	plmn, err := s6a.ParsePLMN(octets)
	if err != nil {
		return plmn, &diameter.Error{
			Result: diameter.InvalidAVPValue, Message: err.Error(), Failed: &s6a.FailedAVP{VisitedPLMN: octets}, Err: err,
		}
	}

	return plmn, nil
}

// imeiOf returns the IMEI that an MME states, or "".
func imeiOf(t *s6a.Terminal) string {
	const longest = 16 // with the software version (TS 23.003 §6.2.2)

	if t == nil || len(t.IMEI)+len(t.SoftwareVersion) > longest {
		return ""
	}

	imei := t.IMEI + t.SoftwareVersion
	if strings.ContainsFunc(imei, func(r rune) bool { return r < '0' || r > '9' }) {
		return ""
	}

	return imei
}
