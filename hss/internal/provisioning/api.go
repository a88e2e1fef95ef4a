package provisioning

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// Options are what the API needs.
type Options struct {
	Store    *subscriber.Store
	Domain   string // of identities written without one
	Attempts *attempt.Log
	Wake     func() // called when an RTR or PPR has been queued
}

// API is the provisioning interface.
type API struct {
	store    *subscriber.Store
	domain   string
	attempts *attempt.Log
	wake     func()
}

// New returns an API.
func New(o Options) *API {
	return &API{store: o.Store, domain: o.Domain, attempts: o.Attempts, wake: o.Wake}
}

// Serve adds the resources to the admin HTTP.
func (a *API) Serve(server *httpapi.Server) {
	for _, r := range a.resources() {
		r.Handler = translated(r.Handler)
		server.Handle(r)
	}
}

// translated is the one place where the store's errors become HTTP statuses. Any other error is the HSS's own: 500.
func translated(h httpapi.Handler) httpapi.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)

		var problem *httpapi.Error

		switch {
		case err == nil || errors.As(err, &problem):
			return err
		case errors.Is(err, subscriber.ErrNotFound):
			return &httpapi.Error{Status: http.StatusNotFound, Title: "not found", Detail: without(err, subscriber.ErrNotFound)}
		case errors.Is(err, subscriber.ErrTaken):
			return taken(err)
		case errors.Is(err, subscriber.ErrAmbiguous):
			return &httpapi.Error{Status: http.StatusConflict, Title: "it means several subscribers", Detail: err.Error()}
		case errors.Is(err, subscriber.ErrInUse):
			return &httpapi.Error{Status: http.StatusConflict, Title: "it cannot be deleted", Detail: err.Error()}
		default:
			return err
		}
	}
}

func taken(err error) error {
	return &httpapi.Error{Status: http.StatusConflict, Title: "already used by another subscriber", Detail: without(err, subscriber.ErrTaken)}
}

// without returns what an error says beyond its title.
func without(err, title error) string {
	text := strings.ReplaceAll(err.Error(), ": "+title.Error(), "")

	return strings.TrimPrefix(strings.TrimPrefix(text, title.Error()), "\n")
}

// change runs f as the only writer, and wakes the sender for what f queues.
func (a *API) change(ctx context.Context, f func(*subscriber.Tx) error) error {
	if err := a.store.Update(ctx, f); err != nil {
		return err
	}

	a.wake()

	return nil
}
