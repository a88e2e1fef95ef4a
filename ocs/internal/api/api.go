// Package api is the HTTP API of the OCS: accounts and their money, tariffs, sessions, the ledger, the charging records. Amounts are in
// minor units.
package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/reauth"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// Options are what the API needs.
type Options struct {
	Store  *ledger.Store
	Asker  Asker
	Close  func(ctx context.Context, session string) (*credit.Session, error) // ends a session whose network function is gone
	Domain string                                                             // of identities written without one
}

// API serves one ledger.
type API struct {
	store  *ledger.Store
	asker  Asker
	close  func(ctx context.Context, session string) (*credit.Session, error)
	domain string
}

// New returns an API.
func New(o Options) *API {
	return &API{store: o.Store, asker: o.Asker, close: o.Close, domain: o.Domain}
}

// Asker sends requests about sessions to network functions.
type Asker interface {
	ToppedUp(ctx context.Context, account string)
	Blocked(ctx context.Context, account string)
	Sessions(ctx context.Context, account string, which reauth.Which) ([]string, error)
	ReAuthorise(ctx context.Context, session string) (*reauth.Answer, error)
	Abort(ctx context.Context, session string) (*reauth.Answer, error)
}

// Serve adds the API to the admin port.
func (a *API) Serve(admin *httpapi.Server) {
	for _, r := range a.resources() {
		handler := r.Handler
		r.Handler = func(w http.ResponseWriter, request *http.Request) error {
			err := problemOf(handler(w, request))

			var missing *httpapi.Error
			if errors.As(err, &missing) && missing.Status == http.StatusNotFound && missing.Detail == "" {
				return problem(http.StatusNotFound, missing.Title, errors.New(request.URL.Path))
			}

			return err
		}
		admin.Handle(r)
	}
}

// isText reports whether every database can hold a text.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// check returns an error for text that is invalid, or longer than most.
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

// without returns what an error says beyond its cause, which the title states.
func without(err, cause error) error {
	return errors.New(strings.TrimPrefix(strings.TrimPrefix(err.Error(), cause.Error()), ": "))
}

// problemOf turns an error of the ledger into the answer's status.
func problemOf(err error) error {
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

const (
	usualRows = 100
	maxRows   = 10_000
)

func rowsOf(r *http.Request) int { return int(limit.NumberOf(r)) }

// older restricts a list, shown newest first, to rows older than the one named.
func older(r *http.Request, db *gorm.DB) *gorm.DB {
	if id := before.NumberOf(r); id > 0 {
		return db.Where("id < ?", id)
	}

	return db
}

func (a *API) sessions(w http.ResponseWriter, r *http.Request) error {
	rows, limit := []credit.Session{}, rowsOf(r)
	query := a.store.Read(r.Context()).Limit(limit + 1).Order("id")

	if id := after.Of(r); id != "" {
		query = query.Where("id > ?", id)
	}

	if account, err := a.written(r.Context(), ofAccount.Of(r)); err != nil {
		return err
	} else if account != "" {
		query = query.Where("account = ?", account)
	}

	if err := query.Find(&rows).Error; err != nil {
		return err
	}

	rows = httpapi.Page(w, r, rows, limit, "after", func(s credit.Session) string { return s.ID })

	return httpapi.Write(w, http.StatusOK, rows)
}
