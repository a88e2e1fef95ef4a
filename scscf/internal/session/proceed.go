package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
)

// proceed sends a request to its target: no application server wants it any more.
func (s *Server) proceed(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request, sv *served) {
	groups, err := s.targets(ctx, tx, out, sv)

	var refused *charging.Refused

	switch {
	case errors.As(err, &refused):
		s.refuse(tx, sv.side.String(), refused.Status, refused.Reason)
		return
	case err != nil:
		s.refuse(tx, sv.side.String(), 480, sipReason(480, err.Error()))
		return
	}

	response := s.Stack.Forward(ctx, tx, sip.Plan{
		Groups:     groups,
		OnResponse: func(_ *sip.Branch, r *sip.Response) { s.outgoing(sv, r) },
	})
	s.settle(sv, response)
	s.outcomes.WithLabelValues(sv.side.String(), string(out.Method), fmt.Sprint(response.StatusCode)).Inc()
}

// targets asks for credit and lists the branches that lead to the target.
func (s *Server) targets(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request, sv *served) ([][]sip.Branch, error) {
	var groups [][]sip.Branch

	var err error

	if sv.side == terminating {
		if groups, err = contacts(out, sv.user); err != nil {
			return nil, err
		}
	} else {
		groups = [][]sip.Branch{{s.towards(out)}}
	}

	switch {
	case out.IsInvite():
		if err := s.begin(ctx, tx, out, sv); err != nil {
			return nil, err
		}
	case out.Method == "MESSAGE" && s.Charging.ChargesEvents() && s.Charging.Charges(sv.side.role()):
		if refused := s.Charging.Event(ctx, s.describe(out, sv)); refused != nil {
			return nil, refused
		}
	}

	if record := s.recordRoute(sv, out); record != "" {
		for _, group := range groups {
			for _, b := range group {
				sip.AddRecordRoute(b.Request, record)
			}
		}
	}

	return groups, nil
}

// begin makes the call, and asks the OCS before it goes on (TS 32.260 §5.3.2.1).
func (s *Server) begin(ctx context.Context, tx *sip.ServerTransaction, out *sip.Request, sv *served) error {
	c, err := s.newCall(tx.Request(), sv)
	if err != nil {
		return err
	}

	if s.Charging.Charges(sv.side.role()) {
		session, refused := s.Charging.Begin(ctx, s.describe(out, sv), c.release)
		if refused != nil {
			s.forget(c)
			return refused
		}

		c.charge, sv.charge = session, session
	}

	sv.call = c

	return nil
}

// describe is what the OCS is told.
func (s *Server) describe(out *sip.Request, sv *served) charging.Call {
	vector := ims.ParseChargingVector(sip.Value(out, "P-Charging-Vector"))
	c := charging.Call{
		Role: sv.side.role(), Method: string(out.Method), CallID: out.CallID().Value(), ICID: vector.ICID,
		OriginatingIOI: vector.OriginatingIOI, TerminatingIOI: vector.TerminatingIOI,
		Private: sv.user.Private, Called: out.Recipient.String(), Requested: out.To().Address.String(),
		Servers: sv.servers, Access: sip.Value(out, "P-Access-Network-Info"),
	}

	for _, value := range sip.Values(out, "P-Asserted-Identity") {
		if a, err := sip.ParseNameAddr(value); err == nil {
			c.Calling = append(c.Calling, a.URI)
		}
	}

	// Who pays: by number where there is one, and by the identity that is served.
	for _, uri := range append([]string{sv.public}, sv.user.Associated()...) {
		if number := ims.Number(uri); number != "" && number[0] == '+' {
			c.Subscriber = append(c.Subscriber, ro.SubscriptionID{Type: ro.E164, Data: number[1:]})
			break
		}
	}

	uri := sv.public
	if !isSIP(uri) {
		if at := slices.IndexFunc(sv.user.Associated(), isSIP); at >= 0 {
			uri = sv.user.Associated()[at]
		}
	}

	if isSIP(uri) {
		c.Subscriber = append(c.Subscriber, ro.SubscriptionID{Type: ro.SIPURI, Data: uri})
	}

	return c
}

func isSIP(uri string) bool { return len(uri) > 4 && uri[:4] == "sip:" }

// recordRoute is the entry that keeps this S-CSCF in the route of a dialog.
func (s *Server) recordRoute(sv *served, out *sip.Request) string {
	switch {
	case sv.call != nil:
		return s.Endpoint.URI(sv.call.token)
	case out.Method == "SUBSCRIBE" || out.Method == "REFER":
		return s.Endpoint.URI("")
	default:
		return ""
	}
}

// outgoing looks at each response on its way back.
func (s *Server) outgoing(sv *served, r *sip.Response) {
	if sv.call != nil && r.IsSuccess() {
		sv.call.answered(r, time.Now())
	}

	if r.StatusCode == 408 && sip.Local(r) {
		sip.Set(r, "Reason", sipReason(408, "the next hop did not answer"))
	}
}

// settle ends what was begun for a call that was not answered.
func (s *Server) settle(sv *served, r *sip.Response) {
	if sv.call != nil && !r.IsSuccess() {
		s.end(sv.call)
	}
}
