package api

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// Ledger is the answer of GET /ledger.
type Ledger struct {
	SumOfBalances int64             `json:"sum_of_balances"` // 0
	SumOfEntries  int64             `json:"sum_of_entries"`  // 0
	Accounts      []ledger.Account  `json:"accounts"`
	MoreAccounts  bool              `json:"more_accounts,omitempty"` // than are shown: GET /accounts
	Movements     []ledger.Movement `json:"movements"`               // the newest first
}

// ledger shows accounts with their balances, and movements: of all, of one account, or of one session.
func (a API) ledger(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()

	p, err := paged(q)
	if err != nil {
		return err
	}

	answer := Ledger{Accounts: []ledger.Account{}, Movements: []ledger.Movement{}}
	if answer.SumOfBalances, answer.SumOfEntries, err = a.Store.Sum(r.Context()); err != nil {
		return err
	}

	accounts := a.Store.Read(r.Context()).Order("id").Limit(maxRows + 1)
	movements := a.Store.Read(r.Context()).Limit(p.limit + 1).Preload("Entries").Order("id DESC")

	if name, err := a.written(r.Context(), q.Get("account")); err != nil {
		return err
	} else if name != "" {
		own := a.Store.Read(r.Context()).Model(&ledger.Account{}).Select("id").Where("name = ?", name)
		accounts = accounts.Where("name IN ?", []string{name, ledger.Network})
		movements = movements.Where(
			"id IN (?)",
			a.Store.Read(r.Context()).Model(&ledger.Entry{}).Select("movement_id").Where("account_id IN (?)", own),
		)
	}

	if session := q.Get("session"); session != "" {
		movements = movements.Where("session = ?", session)
	}

	if movements, err = p.before(movements); err != nil {
		return err
	}

	if err := errors.Join(accounts.Find(&answer.Accounts).Error, movements.Find(&answer.Movements).Error); err != nil {
		return err
	}

	if answer.MoreAccounts = len(answer.Accounts) > maxRows; answer.MoreAccounts {
		answer.Accounts = answer.Accounts[:maxRows]
	}

	answer.Movements = httpapi.Page(w, r, answer.Movements, p.limit, "before", func(m ledger.Movement) string { return number(m.ID) })

	return httpapi.Write(w, http.StatusOK, answer)
}

func number(id uint64) string { return strconv.FormatUint(id, 10) }

func (a API) audit(w http.ResponseWriter, r *http.Request) error {
	found, err := a.Store.Audit(r.Context())
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, found)
}

// cdrs shows records, the newest first: as a JSON array, as JSON lines, or as CSV.
func (a API) cdrs(w http.ResponseWriter, r *http.Request) error {
	query, limit, err := a.selectCDRs(r)
	if err != nil {
		return err
	}

	rows := []credit.CDR{}
	if err := query.Find(&rows).Error; err != nil {
		return err
	}

	rows = httpapi.Page(w, r, rows, limit, "before", func(record credit.CDR) string { return number(record.ID) })

	switch format := r.URL.Query().Get("format"); format {
	case "", "json":
		return httpapi.Write(w, http.StatusOK, rows)
	case "jsonl":
		w.Header().Set("Content-Type", "application/jsonl")

		encoder := json.NewEncoder(w)
		for i := range rows {
			if err := encoder.Encode(&rows[i]); err != nil {
				return nil //nolint:nilerr // the client is gone
			}
		}

		return nil
	case "csv":
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")

		table := csv.NewWriter(w)
		_ = table.Write(credit.Columns) // kept in table.Error

		for i := range rows {
			_ = table.Write(rows[i].Row())
		}

		table.Flush()

		return nil // if table.Error is set, the client is gone
	default:
		return problem(http.StatusBadRequest, "format is none of json, jsonl, csv", nil)
	}
}

// selectCDRs reads one beyond limit.
func (a API) selectCDRs(r *http.Request) (query *gorm.DB, limit int, err error) {
	q := r.URL.Query()

	p, err := paged(q)
	if err != nil {
		return nil, 0, err
	}

	query, err = p.before(a.Store.Read(r.Context()).Limit(p.limit + 1).Order("id DESC"))
	if err != nil {
		return nil, 0, err
	}

	account, err := a.written(r.Context(), q.Get("account"))
	if err != nil {
		return nil, 0, err
	}

	for column, value := range map[string]string{"account": account, "session": q.Get("session")} {
		if value != "" {
			query = query.Where(column+" = ?", value)
		}
	}

	for name, comparison := range map[string]string{"from": "ended >= ?", "to": "ended < ?"} {
		if text := q.Get(name); text != "" {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return nil, 0, problem(http.StatusBadRequest, name+" is no time as in RFC 3339", err)
			}

			query = query.Where(comparison, at.UTC())
		}
	}

	return query, p.limit, nil
}
