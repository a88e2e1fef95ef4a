package runner

import (
	"context"
	"errors"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// wire is the network function's Diameter node.
type wire struct {
	node *diameter.Node
	done chan error
	end  context.CancelFunc
}

// unableToDeliver is the answer to requests for a session whose network function is gone: there is nobody to take it (RFC 6733 §7.1.3).
var unableToDeliver = diameter.Result{Code: 3002}

// connect connects to an OCS. Its requests come to asked, which says whether the session is there.
func connect(ctx context.Context, s *scenario.Scenario, address string, asked func(session string, abort bool) bool) (*wire, error) {
	c := diameter.DefaultConfig(s.Client.Host, s.Client.Realm())
	c.Peers = []diameter.Peer{{Host: s.OCS.Host, Realm: s.OCS.Realm(), Address: address}}
	c.ReconnectMin, c.ReconnectMax = 5*time.Millisecond, 20*time.Millisecond
	c.RequestTimeout = patience

	node, err := diameter.New(c, []diameter.Application{ro.Application}, diameter.Options{})
	if err != nil {
		return nil, err
	}

	diameter.Handle(node, func(_ context.Context, q *ro.RAR) (*ro.RAA, error) {
		a := &ro.RAA{}
		if a.Result = ro.LimitedSuccess; !asked(q.SessionID, false) {
			a.Result = unableToDeliver
		}

		return a, nil
	})
	diameter.Handle(node, func(_ context.Context, q *ro.ASR) (*ro.ASA, error) {
		a := &ro.ASA{}
		if a.Result = ro.Success; !asked(q.SessionID, true) {
			a.Result = unableToDeliver
		}

		return a, nil
	})

	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &wire{node: node, done: make(chan error, 1), end: cancel}

	go func() { w.done <- node.Run(inner) }()

	if err := w.ready(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}

	return w, nil
}

// ready waits for the connection.
func (w *wire) ready(ctx context.Context) error {
	return await(ctx, "the Diameter connection to the OCS", func() bool { return w.node.Reached(ro.Application.ID) })
}

func (w *wire) call(ctx context.Context, q *ro.CCR) (*ro.CCA, error) {
	return diameter.Call[ro.CCA](ctx, w.node, q)
}

func (w *wire) close() error {
	w.end()
	return <-w.done
}
