// Package wlan answers the HSS's SWx requests (TS 29.273 §8.1.2): the MAR and SAR of the 3GPP AAA server of an ePDG, for VoWiFi. Each
// procedure is a file: a decision on what the store knows, without I/O, and a few lines that load and save around it.
package wlan

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/hss/internal/authentication"
	"github.com/dialtone-ims/dialtone/hss/internal/epsdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// Policy is what the specification leaves to the operator.
type Policy struct {
	MaxVectors int `yaml:"max_vectors"` // in one MAA, however many the AAA server asks for
}

// Server answers the SWx commands.
type Server struct {
	store  *subscriber.Store
	policy Policy
	eps    *subscriber.EPS
	wake   func()
	centre *authentication.Centre
	log    *slog.Logger

	attempts *attempt.Log
	domain   string
}

// Options are what a Server needs.
type Options struct {
	Store  *subscriber.Store
	EPS    *subscriber.EPS // of SIMs without their own
	Wake   func()          // called when an RTR has been queued
	Centre *authentication.Centre
	Log    *slog.Logger

	Attempts *attempt.Log
	Domain   string // of the private identities of SIMs that are not known
}

// New returns a Server. Serve registers it with a node.
func New(p Policy, o Options) *Server {
	return &Server{
		store: o.Store, policy: p, eps: o.EPS, wake: o.Wake, centre: o.Centre, log: o.Log, attempts: o.Attempts, domain: o.Domain,
	}
}

// features is list 1 of this HSS (TS 29.273 §8.2.3.16).
const features = swx.FeatureRestoration

// Serve registers the handlers of SWx with a node, which must not run yet.
func (s *Server) Serve(n *diameter.Node) {
	cx.Handle(n, features, s.multimediaAuth)
	cx.Handle(n, features, s.serverAssignment)
}

func refused(result diameter.Result, format string, arguments ...any) error {
	return &diameter.Error{Result: result, Message: fmt.Sprintf(format, arguments...)}
}

func unknown(name string) error {
	return refused(swx.ErrorUserUnknown, "no private identity has the IMSI of %s", name)
}

// mayUse returns an error for a user who is unknown, has no APNs, or may not be served in a network (TS 29.273 §8.1.2.1.2, §8.1.2.2.2). SWx
// names a visited network by its domain; without one the user is at home.
func (s *Server) mayUse(p *subscriber.PrivateIdentity, name, visited string) error {
	switch {
	case p == nil:
		return unknown(name)
	case epsdata.Subscription(p, s.eps) == nil:
		return refused(swx.ErrorUserNoNon3GPPSubscription, "%s has no APN, or no SIM", name)
	case visited != "" && !epsdata.MayAttachIn(p, visited):
		return refused(swx.ErrorRoamingNotAllowed, "%s may not be served in %s", name, visited)
	default:
		return nil
	}
}

// remember records what a SIM has tried by an AAA server. p is the SIM's identity, or nil if it is not known.
func (s *Server) remember(began time.Time, p *subscriber.PrivateIdentity, name string, kind attempt.Kind, err error) {
	if kind == "" {
		return
	}

	private := ims.PrivateIdentity(imsiOf(name), s.domain)
	if p != nil {
		private = p.Identity
	}

	s.attempts.Record(began, private, "", kind, swx.Success, err)
}

// imsiOf returns the IMSI in a User-Name. That is the IMSI itself (TS 29.273 §8.1.2.1.1), or the identity of EAP, whose user part begins
// with 0 for EAP-AKA and 6 for EAP-AKA' (TS 23.003 §19.3.2).
func imsiOf(name string) string {
	const longest = 15

	imsi, realm, _ := strings.Cut(name, "@")
	ofEAP := len(imsi) > longest || strings.HasPrefix(strings.ToLower(realm), "nai.")

	if ofEAP && imsi != "" && (imsi[0] == '0' || imsi[0] == '6') {
		imsi = imsi[1:]
	}

	return imsi
}
