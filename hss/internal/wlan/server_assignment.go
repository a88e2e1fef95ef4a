package wlan

import (
	"context"
	"fmt"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/administration"
	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/hss/internal/epsdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
)

// assignment is the effect of a SAR.
type assignment struct {
	registers, ends, data, gateway, restores bool
}

// serverAssignment decides a SAR (TS 29.273 §8.1.2.2.2) by its type, and by whether the AAA server is the user's.
func serverAssignment(p *subscriber.PrivateIdentity, req *swx.SAR) (a assignment, err error) {
	switch req.Type {
	case cx.AssignRegistration:
		return assignment{registers: true, data: true}, nil
	case cx.AAAUserDataRequest, cx.PGWUpdate:
		if !p.AAA.Registered || !p.AAA.At(req.OriginHost, req.OriginRealm) {
			return a, refused(swx.ErrorIdentityNotRegistered, "%s is not registered at %s", req.UserName, req.OriginHost)
		}

		return assignment{data: req.Type == cx.AAAUserDataRequest, gateway: req.Type == cx.PGWUpdate}, nil
	case cx.Restoration: // §8.1.2.4.2.2
		return assignment{registers: true, restores: true}, nil
	case cx.UserDeregistration, cx.TimeoutDeregistration, cx.AdministrativeDeregistration, cx.AuthenticationFailure,
		cx.AuthenticationTimeout, cx.DeregistrationTooMuchData:
		if !p.AAA.At(req.OriginHost, req.OriginRealm) {
			if p.AAA.Host == "" {
				return a, nil // ended already
			}

			return a, refused(swx.UnableToComply, "%s is served by %s", req.UserName, p.AAA.Host)
		}

		return assignment{ends: true}, nil
	default:
		return a, refused(swx.UnableToComply, "Server-Assignment-Type %d is not served on SWx", req.Type)
	}
}

// kinds maps the types of SARs by which a handset's way shows to kinds of attempts.
var kinds = map[cx.ServerAssignmentType]attempt.Kind{
	cx.AssignRegistration: attempt.AAARegistration, cx.UserDeregistration: attempt.AAADeregistration,
	cx.TimeoutDeregistration: attempt.AAATimeout, cx.AdministrativeDeregistration: attempt.AAAAdministrative,
	cx.AuthenticationFailure: attempt.AAAFailure, cx.AuthenticationTimeout: attempt.AAAAuthTimeout,
	cx.Restoration: attempt.AAARestoration, cx.PGWUpdate: attempt.AAAGateway,
}

func (s *Server) serverAssignment(ctx context.Context, req *swx.SAR) (*swx.SAA, error) {
	var (
		data  *swx.UserData
		sim   *subscriber.PrivateIdentity
		began = time.Now()
	)

	err := s.store.Update(ctx, func(tx *subscriber.Tx) error {
		subscription, p, err := tx.SIM(imsiOf(req.UserName))
		if sim = p; err != nil {
			return err
		}

		if p == nil {
			return unknown(req.UserName)
		}

		does, err := serverAssignment(p, req)
		if err != nil {
			return err
		}

		if does.data {
			if err := s.mayUse(p, req.UserName, req.VisitedNetwork); err != nil {
				return err
			}

			data = epsdata.OfAAA(epsdata.Subscription(p, s.eps), p)
		}

		before := p.AAA

		switch {
		case does.registers:
			p.AAA = subscriber.AAAServer{
				Host: req.OriginHost, Realm: req.OriginRealm, Registered: true, Since: time.Now().UTC().Truncate(time.Millisecond),
			}

			if cx.Has(req.SupportedFeatures, features) {
				p.AAA.Features = features
			}

			if does.restores {
				s.restore(p, req)
			}
		case does.ends: // the gateways stay known (§8.1.2.2.2.2)
			p.AAA = subscriber.AAAServer{}
		case does.gateway:
			if err := s.gateway(p, req); err != nil {
				return err
			}
		default:
			return nil
		}

		if err := tx.SaveAAA(subscription, p); err != nil {
			return err
		}

		return administration.AAAChanged(tx, p, before)
	})
	s.remember(began, sim, req.UserName, kinds[req.Type], err)

	if err != nil {
		return nil, fmt.Errorf("SAR of SWx for %s: %w", req.UserName, err)
	}

	s.wake()
	s.log.Info("SAR of an AAA server served", "imsi", imsiOf(req.UserName), "peer", req.OriginHost)

	return &swx.SAA{UserName: req.UserName, UserData: data}, nil
}
