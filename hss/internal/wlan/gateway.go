package wlan

import (
	"github.com/dialtone-ims/dialtone/hss/internal/epsdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
)

// example is a gateway, for Failed-AVP.
var example = &s6a.PGW{Host: &s6a.PGWHost{Host: "pgw.example.org", Realm: "example.org"}}

// gateway records the PDN gateway of an APN (PGW_UPDATE, TS 29.273 §8.1.2.2.2.2), so that the connection can move to LTE.
func (s *Server) gateway(p *subscriber.PrivateIdentity, req *swx.SAR) error {
	e := epsdata.Subscription(p, s.eps)

	switch {
	case e == nil:
		return refused(swx.ErrorUserNoNon3GPPSubscription, "%s has no APN, or no SIM", req.UserName)
	case req.Emergency&swx.EmergencyIndication != 0:
		return refused(swx.UnableToComply, "gateways of emergency calls are not kept")
	}

	apn := epsdata.APN(e, req.APN, req.Context)
	if apn == "" {
		return refused(swx.UnableToComply, "%s has no APN %q", req.UserName, req.APN)
	}

	g, stated := epsdata.Gateway(apn, req.PGW, req.VisitedNetwork)

	switch {
	case req.PGW == nil:
		return &diameter.Error{
			Result: diameter.MissingAVP, Message: "MIP6-Agent-Info is needed to update a gateway",
			Failed: &swx.FailedAVP{PGW: example},
		}
	case !stated:
		return &diameter.Error{
			Result: diameter.InvalidAVPValue, Message: "MIP6-Agent-Info names no gateway", Failed: &swx.FailedAVP{PGW: req.PGW},
		}
	}

	p.SetGateway(g)

	return nil
}

// restore records the gateways that the AAA server knows, in place of those that may have been lost (RESTORATION, TS 29.273 §8.1.2.4.2.2).
// One of an APN that is not subscribed any more is left out.
func (s *Server) restore(p *subscriber.PrivateIdentity, req *swx.SAR) {
	e := epsdata.Subscription(p, s.eps)
	if e == nil {
		return
	}

	for _, active := range req.ActiveAPNs {
		apn := epsdata.APN(e, active.APN, &active.Context)
		if apn == "" {
			continue
		}

		if g, stated := epsdata.Gateway(apn, active.PGW, active.VisitedNetwork); stated {
			p.SetGateway(g)
		}
	}
}
