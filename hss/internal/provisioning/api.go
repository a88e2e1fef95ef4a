package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// API is the provisioning interface.
type API struct {
	store    *subscriber.Store
	domain   string
	attempts *attempt.Log
	wake     func() // tells that an RTR or PPR has been queued
}

// Serve adds the resources to the admin HTTP.
func Serve(server *httpapi.Server, store *subscriber.Store, domain string, attempts *attempt.Log, wake func()) *API {
	a := &API{store: store, domain: domain, attempts: attempts, wake: wake}

	for pattern, h := range a.resources() {
		server.Handle(pattern, translated(h))
	}

	return a
}

func (a *API) resources() map[string]httpapi.Handler {
	return map[string]httpapi.Handler{
		"GET /subscribers":                                           a.listSubscribers,
		"POST /subscribers":                                          a.createSubscriber,
		"POST /subscribers/bulk":                                     a.createSubscribers,
		"GET /subscribers/{name}":                                    a.readSubscriber,
		"PUT /subscribers/{name}":                                    a.replaceSubscriber,
		"DELETE /subscribers/{name}":                                 a.deleteSubscriber,
		"GET /subscribers/{name}/registration":                       a.readRegistration,
		"DELETE /subscribers/{name}/registration":                    a.endRegistration,
		"GET /subscribers/{name}/public-identities":                  a.listPublic,
		"GET /subscribers/{name}/public-identities/{identity}":       a.readPublic,
		"PUT /subscribers/{name}/public-identities/{identity}":       a.putPublic,
		"DELETE /subscribers/{name}/public-identities/{identity}":    a.deletePublic,
		"GET /subscribers/{name}/private-identities/{identity}/keys": a.readKeys,
		"PUT /subscribers/{name}/private-identities/{identity}/keys": a.putKeys,
		"GET /service-profiles":                                      a.listProfiles,
		"GET /service-profiles/{name}":                               a.readProfile,
		"PUT /service-profiles/{name}":                               a.putProfile,
		"DELETE /service-profiles/{name}":                            a.deleteProfile,
		"GET /shared-filter-criteria":                                a.listShared,
		"GET /shared-filter-criteria/{number}":                       a.readShared,
		"PUT /shared-filter-criteria/{number}":                       a.putShared,
		"DELETE /shared-filter-criteria/{number}":                    a.deleteShared,
		"GET /pushes":   a.listPushes,
		"GET /attempts": a.listAttempts,
	}
}

// Resources lists what the API serves.
func Resources() []string {
	return slices.Sorted(maps.Keys(new(API).resources()))
}

// translated is the one place where the store's errors become HTTP statuses. What is not known here is ours: 500.
func translated(h httpapi.Handler) httpapi.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)

		var known *httpapi.Error

		switch {
		case err == nil || errors.As(err, &known):
			return err
		case errors.Is(err, subscriber.ErrNotFound):
			return &httpapi.Error{Status: http.StatusNotFound, Title: "not found", Detail: without(err, subscriber.ErrNotFound)}
		case errors.Is(err, subscriber.ErrTaken):
			return taken(err)
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

// without is what an error says besides what the title says already.
func without(err, title error) string {
	text := strings.ReplaceAll(err.Error(), ": "+title.Error(), "")

	return strings.TrimPrefix(strings.TrimPrefix(text, title.Error()), "\n")
}

// change runs f as the only writer, and sees to it that what f queues is sent.
func (a *API) change(ctx context.Context, f func(*subscriber.Tx) error) error {
	if err := a.store.Update(ctx, f); err != nil {
		return err
	}

	a.wake()

	return nil
}

// limitOf reads the query parameter limit.
func limitOf(r *http.Request, usual, most int) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return usual, nil
	}

	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > most {
		return 0, &httpapi.Error{
			Status: http.StatusBadRequest,
			Title:  "the query cannot be read",
			Detail: fmt.Sprintf("limit: %q is not 1 to %d", text, most),
		}
	}

	return limit, nil
}

// known refuses query parameters that a resource does not have: a misspelt filter would otherwise select everything.
func known(r *http.Request, names ...string) error {
	for name := range r.URL.Query() {
		found := false
		for _, n := range names {
			found = found || n == name
		}

		if !found {
			return &httpapi.Error{
				Status: http.StatusBadRequest,
				Title:  "the query cannot be read",
				Detail: fmt.Sprintf("there is no parameter %q; there are %v", name, names),
			}
		}
	}

	return nil
}
