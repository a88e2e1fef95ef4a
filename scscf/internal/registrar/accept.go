package registrar

import (
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// accept sends a 200 (TS 24.229 §5.4.1.2.2, §5.4.1.4).
func (p *procedure) accept() {
	r := p.registrar
	response := sip.NewResponse(p.tx.Request(), 200, "")
	g := p.change.After

	for _, path := range p.request.path {
		sip.Add(response, "Path", path)
	}

	if g != nil && g.State == registration.Registered {
		now := time.Now()

		for _, b := range g.Bindings {
			sip.Add(response, "Contact", b.Header(now))
		}

		if slices.ContainsFunc(p.request.contacts, func(w wanted) bool { return w.regID != 0 }) {
			sip.Set(response, "Require", "outbound") // RFC 5626 §6
		}

		if associated := g.Associated(); len(associated) > 0 {
			sip.Set(response, "P-Associated-URI", "<"+strings.Join(associated, ">, <")+">")
		}

		sip.Set(response, "Service-Route", "<"+r.serviceRoute+">")
	}

	if functions := r.chargingFunctions(g); functions != "" {
		sip.Set(response, "P-Charging-Function-Addresses", functions)
	}

	if vector := sip.Value(p.request.message, "P-Charging-Vector"); vector != "" {
		v := ims.ParseChargingVector(vector)
		v.TerminatingIOI = r.homeDomain
		sip.Set(response, "P-Charging-Vector", v.String())
	}

	p.change.Response = response

	contacts := 0
	if g != nil {
		contacts = len(g.Bindings)
	}

	outcome := "registered"

	switch {
	case p.ends:
		outcome = "deregistered"
	case p.was == Registered:
		outcome = "refreshed"
	}

	r.metrics.registers.WithLabelValues(outcome).Inc()
	r.log.Info(
		"REGISTER accepted",
		"outcome", outcome,
		"impi", p.request.private,
		"impu", p.request.public,
		"contacts", contacts,
		"call_id", p.request.callID,
	)
	p.respond(response)
}

// chargingFunctions returns P-Charging-Function-Addresses (RFC 7315 §4.5, §5.5): the functions that the HSS gave, else the operator's.
func (r *Registrar) chargingFunctions(g *registration.Registration) string {
	functions := ims.ChargingFunctions{Event: r.policy.ChargingFunctions.ECF, Collection: r.policy.ChargingFunctions.CCF}

	if g != nil {
		if c, given := g.Charging(); given {
			functions = ims.ChargingFunctions{
				Event: []string{c.EventPrimary, c.EventSecondary}, Collection: []string{c.CollectionPrimary, c.CollectionSecondary},
			}
		}
	}

	return functions.String()
}

// refuse answers a REGISTER with a refusal and logs it. req is nil if the REGISTER could not be parsed.
func (r *Registrar) refuse(tx sip.Answering, req *request, refusal *sip.Refusal) {
	var attributes []any
	if req != nil {
		attributes = []any{"impi", req.private, "impu", req.public}
	}

	sip.Refuser{Log: r.log, Count: r.metrics.refused}.Refuse(tx, "registration", refusal, attributes...)
}

func (m *metrics) refused(_, _ string, status int) {
	m.registers.WithLabelValues(label.Status(status)).Inc()
}
