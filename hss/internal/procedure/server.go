package procedure

import (
	"log/slog"

	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/hss/internal/authentication"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

type cxResult = diameter.Result

// Policy is what the specification leaves to the operator.
type Policy struct {
	MaxVectors      int    `yaml:"max_vectors"`       // in one MAA, however many the S-CSCF asks for
	DigestRealm     string `yaml:"digest_realm"`      // realm of SIP Digest users; empty: the domain
	AKA             string `yaml:"aka"`               // scheme of SIMs where the S-CSCF lets the HSS choose
	StoreServerName bool   `yaml:"store_server_name"` // keep the S-CSCF of a user who de-registers, if it asks to
}

// Server answers the Cx commands.
type Server struct {
	store    *subscriber.Store
	policy   Policy
	wake     func()
	attempts *attempt.Log
	centre   *authentication.Centre
	log      *slog.Logger
}

// Options are what a Server needs.
type Options struct {
	Store    *subscriber.Store
	Wake     func() // called when an RTR has been queued
	Attempts *attempt.Log
	Centre   *authentication.Centre
	Log      *slog.Logger
}

// New returns a Server. Serve registers it with a node.
func New(p Policy, o Options) *Server {
	return &Server{store: o.Store, policy: p, wake: o.Wake, attempts: o.Attempts, centre: o.Centre, log: o.Log}
}

// Serve registers the handlers of Cx with a node, which must not run yet.
func (s *Server) Serve(n *diameter.Node) {
	cx.Handle(n, features, s.userAuthorization)
	cx.Handle(n, features, s.multimediaAuth)
	cx.Handle(n, features, s.serverAssignment)
	cx.Handle(n, features, s.locationInfo)
}
