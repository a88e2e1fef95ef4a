package session

import (
	"crypto/rand"
	"sync"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// visit is a request that is away at an application server. Its original dialog identifier stands in the Route entry that the
// server finds behind its own (TS 24.229 §5.4.3.4), so that the request is known when it comes back.
type visit struct {
	served *served
	at     int    // place in the chain
	target string // Request-URI as it left
	method string
	back   bool // the server has handed the request back; of visits
	given  bool // the server was taken for dead, and the request went on without it; of visits
}

// visits lasts no longer than the transactions of the requests that are away.
type visits struct {
	mu   sync.Mutex
	open map[string]*visit
}

func (v *visits) leave(away *visit) (odi string) {
	odi = "odi-" + rand.Text()

	v.mu.Lock()
	defer v.mu.Unlock()

	v.open[odi] = away

	return odi
}

// returned finds the visit of a request that comes back. late: it went on without the server in the meantime.
func (v *visits) returned(odi string) (away *visit, late bool) {
	v.mu.Lock()
	defer v.mu.Unlock()

	if away = v.open[odi]; away == nil {
		return nil, false
	}

	away.back = true

	return away, away.given
}

// came tells whether the request has come back, so that the server is alive.
func (v *visits) came(odi string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()

	away := v.open[odi]

	return away != nil && away.back
}

// giveUp is the end of a visit to a server that is dead: it has not come back, and will not be let in any more.
func (v *visits) giveUp(odi string) (dead bool) {
	v.mu.Lock()
	defer v.mu.Unlock()

	away := v.open[odi]
	if away == nil || away.back {
		return false
	}

	away.given = true

	return true
}

func (v *visits) forget(odis ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()

	for _, odi := range odis {
		delete(v.open, odi)
	}
}

// sessionCase is which of the cases of TS 29.228 annex F a request is in.
func (s *served) sessionCase() ifc.SessionCase {
	registered := s.registered()

	switch {
	case s.diverted:
		return ifc.OriginatingCDIV
	case s.side == originating && registered:
		return ifc.Originating
	case s.side == originating:
		return ifc.OriginatingUnregistered
	case registered:
		return ifc.TerminatingRegistered
	default:
		return ifc.TerminatingUnregistered
	}
}

func (s *served) registered() bool { return s.user.State == registration.Registered }

// servedUser is P-Served-User, by which an application server knows whom it serves and in which case (RFC 5502, RFC 8498).
func (s *served) servedUser() string {
	u := ims.ServedUser{Address: ims.Address{URI: s.public}, Unregistered: !s.registered()}

	switch {
	case s.diverted:
		u.Case = ims.ServedOriginatingCDIV
	case s.side == originating:
		u.Case = ims.ServedOriginating
	default:
		u.Case = ims.ServedTerminating
	}

	return u.String()
}

// toServer puts the application server and, behind it, this S-CSCF with the original dialog identifier on top of Route.
func (s *Server) toServer(out *sip.Request, sv *served, match ifc.Match) (sip.Branch, string, error) {
	server, err := sip.ParseURI(match.Server)
	if err != nil {
		return sip.Branch{}, "", err
	}

	if !server.UriParams.Has("lr") {
		server.UriParams.Add("lr", "")
	}

	r := sip.Copy(out)
	odi := s.visits.leave(&visit{served: sv, at: match.Index, target: out.Recipient.String(), method: string(out.Method)})

	sip.PushRoute(r, s.Endpoint.URI(odi))
	sip.PushRoute(r, server.String())
	sip.Set(r, "P-Served-User", sv.servedUser())
	sv.servers = append(sv.servers, match.Server)

	return sip.Branch{
		Request: r, Timeout: s.Config.ServerTimeout, Busy: func() bool { return s.visits.came(odi) }, Label: match.Server,
	}, odi, nil
}
