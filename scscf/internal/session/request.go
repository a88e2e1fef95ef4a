package session

import (
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ims/access"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// request is a request as received, read once: the steps of originating and terminating services work on it. They change a header field
// both here and in out.
type request struct {
	tx  *stack.ServerTransaction
	out *sip.Request // as it is sent on

	asserted   []string           // P-Asserted-Identity: URIs
	caller     string             // the first of them that can be read, canonical; ""
	served     string             // the identity in P-Served-User, canonical; ""
	servedCase ims.ServedCase     // the session case in P-Served-User
	vector     ims.ChargingVector // P-Charging-Vector
	access     string             // P-Access-Network-Info: the value that counts
	dialled    string             // URI of To
	requested  string             // Request-URI as received
	recorded   []sip.NameAddr     // Record-Route
	contacts   []sip.Contact      // Contact
	unreadable *sip.Refusal       // of an INVITE whose dialog could not be ended from here when its credit is used up
}

// parse reads a request that goes on as out.
func parse(tx *stack.ServerTransaction, out *sip.Request) *request {
	r := &request{
		tx: tx, out: out,
		vector: ims.ParseChargingVector(sip.Value(out, "P-Charging-Vector")), access: access.Of(out),
		dialled: out.To().Address.String(), requested: out.Recipient.String(),
	}

	if out.IsInvite() {
		r.readDialog()
	}

	for _, value := range sip.Values(out, "P-Asserted-Identity") {
		a, err := sip.ParseNameAddr(value)
		if err != nil {
			continue
		}

		r.asserted = append(r.asserted, a.URI)

		if canonical, err := ims.CanonicalIdentity(a.URI); err == nil && r.caller == "" {
			r.caller = canonical
		}
	}

	served := sip.Value(out, "P-Served-User")

	if a, err := sip.ParseNameAddr(served); err == nil {
		r.served, _ = ims.CanonicalIdentity(a.URI)
	}

	if as, err := ims.ParseServedUser(served); err == nil {
		r.servedCase = as.Case
	}

	return r
}

// readDialog reads the header fields that make the dialog of an INVITE.
func (r *request) readDialog() {
	var err error
	if r.recorded, err = sip.RecordRoutes(r.out); err != nil {
		r.unreadable = sip.Refusef(400, "Record-Route cannot be read: %v", err)
		return
	}

	if r.contacts, _, err = sip.Contacts(r.out); err != nil || len(r.contacts) != 1 {
		r.unreadable = sip.Refuse(400, "an INVITE without one Contact that can be read (RFC 3261 §8.1.1.8)")
	}
}

// method returns the method of the request.
func (r *request) method() string { return string(r.out.Method) }

// assert adds an identity to P-Asserted-Identity.
func (r *request) assert(uri string) {
	sip.Add(r.out, "P-Asserted-Identity", "<"+uri+">")
	r.asserted = append(r.asserted, uri)
}

// routeUser says why a request with a Route entry of this S-CSCF came here (TS 24.229 §5.4.3.1).
type routeUser int

const (
	toCalled   routeUser = iota // nothing says otherwise: for the user in the Request-URI
	ofHandset                   // over the Service-Route of a registration
	onBehalf                    // "orig" in Route: an application server acts for the user (§5.7.3)
	handedBack                  // with an original dialog identifier, on a leg
)

// routeUserOf reads this S-CSCF's entries in the Route of a request.
func (s *Server) routeUserOf(own []sip.NameAddr) (routeUser, *leg) {
	for _, route := range own {
		u, err := sip.ParseURI(route.URI)
		if err != nil {
			continue
		}

		if l := s.atServers.find(u.User); l != nil {
			return handedBack, l
		}

		switch {
		case u.User == "orig":
			return ofHandset, nil
		case u.UriParams.Has("orig"):
			return onBehalf, nil
		}
	}

	return toCalled, nil
}
