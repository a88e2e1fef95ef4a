// Package api is the HTTP API of the OCS: accounts and their money, tariffs, sessions, the ledger, the records of what was
// charged. Amounts are minor units.
package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/reauth"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// API serves one ledger.
type API struct {
	Store  *ledger.Store
	Asker  Asker
	Domain string // of identities that are written without one

	Close func(ctx context.Context, session string) (*credit.Session, error) // ends a session whose network function is gone
}

// Asker asks network functions to do something about their sessions.
type Asker interface {
	ToppedUp(ctx context.Context, account string)
	Blocked(ctx context.Context, account string)
	Sessions(ctx context.Context, account string, which reauth.Which) ([]string, error)
	ReAuthorise(ctx context.Context, session string) (*reauth.Answer, error)
	Abort(ctx context.Context, session string) (*reauth.Answer, error)
}

// Resources are all that the API answers, as patterns of net/http.
func Resources() []string {
	var patterns []string
	for _, r := range (API{}).resources() {
		patterns = append(patterns, r.pattern)
	}

	return patterns
}

type resource struct {
	pattern    string
	parameters []string
	handler    httpapi.Handler
}

func (a API) resources() []resource {
	return []resource{
		{"GET /accounts", []string{"identity", "limit", "after"}, a.accounts},
		{"POST /accounts", nil, a.add},
		{"GET /accounts/{name}", nil, a.account},
		{"PATCH /accounts/{name}", nil, a.change},
		{"DELETE /accounts/{name}", nil, a.closeAccount},
		{"POST /accounts/{name}/top-up", nil, a.topUp},
		{"POST /accounts/bulk", nil, a.addAll},
		{"GET /tariffs", nil, a.tariffs},
		{"GET /tariffs/{name}", []string{"version"}, a.tariff},
		{"GET /tariffs/{name}/versions", nil, a.versions},
		{"PUT /tariffs/{name}", nil, a.setTariff},
		{"GET /sessions", []string{"account", "limit", "after"}, a.sessions},
		{"POST /sessions/{id}/reauth", nil, a.reauthorise},
		{"DELETE /sessions/{id}", []string{"force"}, a.abort},
		{"GET /cdrs", []string{"account", "session", "from", "to", "format", "limit", "before"}, a.cdrs},
		{"GET /ledger", []string{"account", "session", "limit", "before"}, a.ledger},
		{"GET /ledger/audit", nil, a.audit},
	}
}

// Serve adds the API to the admin port.
func (a API) Serve(admin *httpapi.Server) {
	for _, r := range a.resources() {
		admin.Handle(r.pattern, func(w http.ResponseWriter, request *http.Request) error {
			if !isText(request.URL.Path) {
				return problem(http.StatusBadRequest, "the address is no text", nil)
			}

			for name, values := range request.URL.Query() {
				if slices.ContainsFunc(values, func(value string) bool { return !isText(value) }) {
					return problem(http.StatusBadRequest, "the parameter is no text", errors.New(name))
				}

				if !slices.Contains(r.parameters, name) {
					return problem(http.StatusBadRequest, "unknown parameter", errors.New(name))
				}
			}

			err := known(r.handler(w, request))

			var missing *httpapi.Error
			if errors.As(err, &missing) && missing.Status == http.StatusNotFound && missing.Detail == "" {
				return problem(http.StatusNotFound, missing.Title, errors.New(request.URL.Path))
			}

			return err
		})
	}
}

// isText tells what every database can hold.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// check refuses text that is none, or longer than anybody means.
func check(field, value string, most int) error {
	if len(value) > most || !isText(value) {
		return problem(http.StatusBadRequest, fmt.Sprintf("%s is no text of at most %d octets", field, most), nil)
	}

	return nil
}

func problem(status int, title string, err error) error {
	e := &httpapi.Error{Status: status, Title: title}
	if err != nil {
		e.Detail = err.Error()
	}

	return e
}

// without is what an error says besides its cause, which the title has.
func without(err, cause error) error {
	return errors.New(strings.TrimPrefix(strings.TrimPrefix(err.Error(), cause.Error()), ": "))
}

// known turns what the ledger says of a request into the answer's status.
func known(err error) error {
	switch {
	case errors.Is(err, ledger.ErrUnknown):
		return problem(http.StatusNotFound, "unknown account", without(err, ledger.ErrUnknown))
	case errors.Is(err, ledger.ErrExists):
		return problem(http.StatusConflict, "it cannot be added", err)
	case errors.Is(err, ledger.ErrReference):
		return problem(http.StatusConflict, "the reference is used", err)
	case errors.Is(err, ledger.ErrInUse):
		return problem(http.StatusConflict, "in use", err)
	case errors.Is(err, ledger.ErrAmount):
		return problem(http.StatusUnprocessableEntity, "amount", err)
	case errors.Is(err, reauth.ErrClient):
		return problem(http.StatusConflict, "nobody to be asked", err)
	case errors.Is(err, gorm.ErrRecordNotFound):
		return problem(http.StatusNotFound, "not found", nil)
	default:
		return err
	}
}

// page is how many rows of a list are shown, and from which on.
type page struct {
	limit int
	at    string // after or before this one
}

const (
	usualRows = 100
	maxRows   = 10_000
)

func paged(q url.Values) (page, error) {
	p := page{limit: usualRows, at: q.Get("after") + q.Get("before")}

	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxRows {
			return p, problem(http.StatusBadRequest, "limit is not between 1 and "+strconv.Itoa(maxRows), nil)
		}

		p.limit = n
	}

	return p, nil
}

// before narrows a list that is shown the newest first to rows older than the one named.
func (p page) before(db *gorm.DB) (*gorm.DB, error) {
	if p.at == "" {
		return db, nil
	}

	id, err := strconv.ParseUint(p.at, 10, 63)
	if err != nil {
		return nil, problem(http.StatusBadRequest, "before is not a number", nil)
	}

	return db.Where("id < ?", id), nil
}

func (a API) sessions(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()

	p, err := paged(q)
	if err != nil {
		return err
	}

	rows := []credit.Session{}
	query := a.Store.Read(r.Context()).Limit(p.limit + 1).Order("id")

	if p.at != "" {
		query = query.Where("id > ?", p.at)
	}

	if account, err := a.written(r.Context(), q.Get("account")); err != nil {
		return err
	} else if account != "" {
		query = query.Where("account = ?", account)
	}

	if err := query.Find(&rows).Error; err != nil {
		return err
	}

	rows = httpapi.Page(w, r, rows, p.limit, "after", func(s credit.Session) string { return s.ID })

	return httpapi.Write(w, http.StatusOK, rows)
}
