// Package appserver answers the HSS's Sh requests (TS 29.328 §6.1): UDR, PUR and SNR of application servers. Each procedure is a file.
package appserver

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
)

// Policy is what the specification leaves to the operator.
type Policy struct {
	Servers          []Permission  `yaml:"application_servers"`
	MaxData          int           `yaml:"max_data"`             // octets of the ServiceData of a service
	MaxServices      int           `yaml:"max_services"`         // with data of one public identity
	MaxSubscriptions int           `yaml:"max_subscriptions"`    // to notifications, of one application server
	Longest          time.Duration `yaml:"longest_subscription"` // 0: as long as the application server wants
}

// Server answers the Sh commands.
type Server struct {
	store   *subscriber.Store
	policy  Policy
	allowed map[string]*permissions // by host of the application server
	log     *slog.Logger
}

// Options are what a Server needs.
type Options struct {
	Store *subscriber.Store
	Log   *slog.Logger
}

// New returns a Server. Serve registers it with a node.
func New(p Policy, o Options) *Server {
	return &Server{store: o.Store, policy: p, allowed: p.permissions(), log: o.Log}
}

// featureUpdateEff is the bit of feature list 1 for several services in one PUR (TS 29.329 §6.3.15).
const featureUpdateEff uint32 = 1 << 1

// features is list 1 of this HSS.
const features = featureUpdateEff

// Serve registers the handlers of Sh with a node, which must not run yet.
func (s *Server) Serve(n *diameter.Node) {
	cx.Handle(n, features, s.userData)
	cx.Handle(n, features, s.profileUpdate)
	cx.Handle(n, features, s.subscribeNotifications)
}

// Forget ends the subscriptions to notifications of application servers that may not have them any more (TS 29.328 §6.2).
func (s *Server) Forget(ctx context.Context) error {
	return s.store.Update(ctx, func(tx *subscriber.Tx) error {
		kinds, err := tx.KindsOfWatches()
		if err != nil {
			return err
		}

		for _, w := range kinds {
			if s.permission(w.Host).notify[sh.DataReference(w.Reference)] {
				continue
			}

			s.log.Warn("an application server may not be told any more what it wants to know",
				"peer", w.Host, "cause", fmt.Sprintf("sh.application_servers does not let it watch Data-Reference %d", w.Reference))

			if err := tx.DeleteWatches(w.Host, w.Reference); err != nil {
				return err
			}
		}

		return nil
	})
}

func (s *Server) permission(host string) *permissions {
	if p := s.allowed[strings.ToLower(host)]; p != nil {
		return p
	}

	return new(permissions)
}

func refused(result diameter.Result, format string, arguments ...any) error {
	return &diameter.Error{Result: result, Message: fmt.Sprintf(format, arguments...)}
}

// only returns the Data-Reference of a request. Several are a feature that this HSS does not have (Notif-Eff, Update-Eff-Enhance).
func only(references []sh.DataReference) (sh.DataReference, error) {
	if len(references) == 0 {
		return 0, &diameter.Error{
			Result: diameter.MissingAVP, Message: "Data-Reference is needed",
			Failed: &sh.FailedAVP{References: []sh.DataReference{sh.ReferenceRepositoryData}},
		}
	}

	if len(references) > 1 {
		return 0, &diameter.Error{
			Result: diameter.AVPOccursTooManyTimes, Message: "one Data-Reference at a time",
			Failed: &sh.FailedAVP{References: references[1:2]},
		}
	}

	return references[0], nil
}
