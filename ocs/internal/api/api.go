// Package api is the HTTP API of the OCS: accounts and their money, tariffs, sessions, the ledger, the records of what was
// charged. Amounts are minor units.
package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// NewAccount is the body of POST /accounts.
type NewAccount struct {
	Name       string   `json:"name"`
	Identities []string `json:"identities"` // tel:, sip: or imsi:
	Tariff     string   `json:"tariff,omitempty"`
	Balance    int64    `json:"balance"`
}

// Account is a subscriber's account as it is shown.
type Account struct {
	Name       string   `json:"name"`
	Balance    int64    `json:"balance"`
	Reserved   int64    `json:"reserved"`
	Tariff     string   `json:"tariff,omitempty"`
	Blocked    bool     `json:"blocked,omitempty"`
	Identities []string `json:"identities"`
}

// TopUp is the body of POST /accounts/{name}/top-up.
type TopUp struct {
	Amount int64  `json:"amount"`
	Note   string `json:"note,omitempty"`
}

// Ledger is the answer of GET /ledger.
type Ledger struct {
	SumOfBalances int64             `json:"sum_of_balances"` // 0
	SumOfEntries  int64             `json:"sum_of_entries"`  // 0
	Accounts      []ledger.Account  `json:"accounts"`
	Movements     []ledger.Movement `json:"movements"`
}

// API serves one ledger.
type API struct{ Store *ledger.Store }

const maxAmount = 1 << 50

// Serve adds the API to the admin port.
func (a API) Serve(admin *httpapi.Server) {
	admin.Handle("POST /accounts", a.add)
	admin.Handle("GET /accounts", a.accounts)
	admin.Handle("GET /accounts/{name}", a.account)
	admin.Handle("POST /accounts/{name}/top-up", a.topUp)
	admin.Handle("PUT /tariffs/{name}", a.setTariff)
	admin.Handle("GET /tariffs", a.tariffs)
	admin.Handle("GET /sessions", list[credit.Session](a, "started desc"))
	admin.Handle("GET /cdrs", list[credit.CDR](a, "id desc"))
	admin.Handle("GET /ledger", a.ledger)
}

func problem(status int, title string, err error) error {
	e := &httpapi.Error{Status: status, Title: title}
	if err != nil {
		e.Detail = err.Error()
	}

	return e
}

func known(err error) error {
	switch {
	case errors.Is(err, ledger.ErrUnknown):
		return problem(http.StatusNotFound, "unknown account", err)
	case errors.Is(err, ledger.ErrExists):
		return problem(http.StatusConflict, "already there", err)
	default:
		return err
	}
}

func (a API) add(w http.ResponseWriter, r *http.Request) error {
	n, err := httpapi.Decode[NewAccount](r)
	if err != nil {
		return err
	}

	if n.Name == "" || n.Balance < 0 || n.Balance > maxAmount || len(n.Identities) > 100 {
		return problem(http.StatusBadRequest, "an account needs a name and a balance that is not negative", nil)
	}

	for i, identity := range n.Identities {
		if n.Identities[i], err = normal(identity); err != nil {
			return problem(http.StatusBadRequest, "identity "+identity, err)
		}
	}

	if err := a.Store.Add(r.Context(), n.Name, n.Tariff, n.Identities, n.Balance); err != nil {
		return known(err)
	}

	return a.show(w, r, n.Name, http.StatusCreated)
}

func normal(identity string) (string, error) {
	if len(identity) > 5 && identity[:5] == "imsi:" {
		return identity, nil
	}

	return ims.CanonicalIdentity(identity)
}

func (a API) account(w http.ResponseWriter, r *http.Request) error {
	return a.show(w, r, r.PathValue("name"), http.StatusOK)
}

func (a API) show(w http.ResponseWriter, r *http.Request, name string, status int) error {
	all, err := a.load(r, "name = ?", name)
	if err != nil {
		return err
	}

	if len(all) == 0 {
		return problem(http.StatusNotFound, "unknown account", errors.New(name))
	}

	return httpapi.Write(w, status, all[0])
}

func (a API) accounts(w http.ResponseWriter, r *http.Request) error {
	all, err := a.load(r, "name <> ?", "network")
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, all)
}

func (a API) load(r *http.Request, where string, value any) ([]Account, error) {
	var rows []ledger.Account
	if err := a.Store.Read(r.Context()).Where(where, value).Order("name, kind desc").Find(&rows).Error; err != nil {
		return nil, err
	}

	all := []Account{}

	for _, row := range rows {
		switch row.Kind {
		case ledger.Subscriber:
			account := Account{Name: row.Name, Balance: row.Balance, Tariff: row.Tariff, Blocked: row.Blocked, Identities: []string{}}
			if err := a.Store.Read(r.Context()).Model(&ledger.Identity{}).Where("account = ?", row.Name).Order("uri").Pluck("uri", &account.Identities).Error; err != nil {
				return nil, err
			}

			all = append(all, account)
		case ledger.Reserved:
			if n := len(all); n > 0 && all[n-1].Name == row.Name {
				all[n-1].Reserved = row.Balance
			}
		}
	}

	return all, nil
}

func (a API) topUp(w http.ResponseWriter, r *http.Request) error {
	t, err := httpapi.Decode[TopUp](r)
	if err != nil {
		return err
	}

	if t.Amount <= 0 || t.Amount > maxAmount {
		return problem(http.StatusBadRequest, "the amount must be positive", nil)
	}

	if err := a.Store.TopUp(r.Context(), r.PathValue("name"), t.Amount, t.Note); err != nil {
		return known(err)
	}

	return a.show(w, r, r.PathValue("name"), http.StatusOK)
}

func (a API) setTariff(w http.ResponseWriter, r *http.Request) error {
	t, err := httpapi.Decode[rating.Tariff](r)
	if err != nil {
		return err
	}

	if t.Name == "" {
		t.Name = r.PathValue("name")
	}

	if err := t.Validate(); err != nil || t.Name != r.PathValue("name") {
		return problem(http.StatusBadRequest, "the tariff cannot be used", err)
	}

	rates, err := json.Marshal(t.Rates)
	if err != nil {
		return err
	}

	err = a.Store.Update(r.Context(), func(tx ledger.Tx) error {
		return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&credit.StoredTariff{Name: t.Name, Rates: string(rates), Changed: time.Now()}).Error
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, t)
}

func (a API) tariffs(w http.ResponseWriter, r *http.Request) error {
	var rows []credit.StoredTariff
	if err := a.Store.Read(r.Context()).Order("name").Find(&rows).Error; err != nil {
		return err
	}

	all := []rating.Tariff{}

	for _, row := range rows {
		t := rating.Tariff{Name: row.Name}
		if err := json.Unmarshal([]byte(row.Rates), &t.Rates); err != nil {
			return fmt.Errorf("tariff %s: %w", row.Name, err)
		}

		all = append(all, t)
	}

	return httpapi.Write(w, http.StatusOK, all)
}

// list shows rows of a table, of one account if the request names one.
func list[T any](a API, order string) httpapi.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		rows := []T{}
		query := page(a.Store.Read(r.Context()), r).Order(order)

		if account := r.URL.Query().Get("account"); account != "" {
			query = query.Where("account = ?", account)
		}

		if err := query.Find(&rows).Error; err != nil {
			return err
		}

		return httpapi.Write(w, http.StatusOK, rows)
	}
}

func page(db *gorm.DB, r *http.Request) *gorm.DB {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit <= 0 || limit > 1000 {
		limit = 100
	}

	return db.Limit(limit)
}

func (a API) ledger(w http.ResponseWriter, r *http.Request) error {
	var answer Ledger

	var err error
	if answer.SumOfBalances, answer.SumOfEntries, err = a.Store.Sum(r.Context()); err != nil {
		return err
	}

	read := a.Store.Read(r.Context())
	if err := read.Order("id").Find(&answer.Accounts).Error; err != nil {
		return err
	}

	movements := page(a.Store.Read(r.Context()), r).Preload("Entries").Order("id desc")
	if session := r.URL.Query().Get("session"); session != "" {
		movements = movements.Where("session = ?", session)
	}

	if err := movements.Find(&answer.Movements).Error; err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, answer)
}
