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
	MoreAccounts  bool              `json:"more_accounts,omitempty"` // there are more accounts: GET /accounts
	Movements     []ledger.Movement `json:"movements"`               // the newest first
}

// ledger shows accounts with their balances, and the movements of all, of one account or of one session.
func (a *API) ledger(w http.ResponseWriter, r *http.Request) error {
	limit := rowsOf(r)
	answer := Ledger{Accounts: []ledger.Account{}, Movements: []ledger.Movement{}}

	sums, err := a.store.Sums(r.Context())
	if err != nil {
		return err
	}

	answer.SumOfBalances, answer.SumOfEntries = sums.Balances, sums.Entries

	accounts := a.store.Read(r.Context()).Order("id").Limit(maxRows + 1)
	movements := a.store.Read(r.Context()).Limit(limit + 1).Order("id DESC")

	if name, err := a.written(r.Context(), ofAccount.Of(r)); err != nil {
		return err
	} else if name != "" {
		own := a.store.Read(r.Context()).Model(&ledger.Account{}).Select("id").Where("name = ?", name)
		accounts = accounts.Where("name IN ?", []string{name, ledger.Network})

		if name == ledger.Network {
			movements = movements.Where("from_account IN (?) OR to_account IN (?)", own, own)
		} else {
			movements = movements.Where("owner = (?)", own.Where("kind = ?", ledger.Subscriber))
		}
	}

	if session := ofSession.Of(r); session != "" {
		movements = movements.Where("session = ?", session)
	}

	movements = older(r, movements)

	if err := errors.Join(accounts.Find(&answer.Accounts).Error, movements.Find(&answer.Movements).Error); err != nil {
		return err
	}

	if answer.MoreAccounts = len(answer.Accounts) > maxRows; answer.MoreAccounts {
		answer.Accounts = answer.Accounts[:maxRows]
	}

	for i := range answer.Movements {
		answer.Movements[i].Divide()
	}

	answer.Movements = httpapi.Page(w, r, answer.Movements, limit, "before", func(m ledger.Movement) string { return number(m.ID) })

	return httpapi.Write(w, http.StatusOK, answer)
}

func number(id uint64) string { return strconv.FormatUint(id, 10) }

func (a *API) audit(w http.ResponseWriter, r *http.Request) error {
	found, err := a.store.Audit(r.Context())
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, found)
}

// cdrs shows records, the newest first: as a JSON array, as JSON lines, or as CSV.
func (a *API) cdrs(w http.ResponseWriter, r *http.Request) error {
	limit := rowsOf(r)

	query, err := a.selectCDRs(r)
	if err != nil {
		return err
	}

	rows := []credit.CDR{}
	if err := query.Find(&rows).Error; err != nil {
		return err
	}

	rows = httpapi.Page(w, r, rows, limit, "before", func(record credit.CDR) string { return number(record.ID) })

	switch format.Of(r) {
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
		_ = table.Write(credit.Columns) // reported by table.Error

		for i := range rows {
			_ = table.Write(rows[i].Row())
		}

		table.Flush()

		return nil // if table.Error is set, the client is gone
	default:
		return httpapi.Write(w, http.StatusOK, rows)
	}
}

// selectCDRs selects one more than limit.
func (a *API) selectCDRs(r *http.Request) (*gorm.DB, error) {
	query := older(r, a.store.Read(r.Context()).Limit(rowsOf(r)+1).Order("id DESC"))

	account, err := a.written(r.Context(), ofAccount.Of(r))
	if err != nil {
		return nil, err
	}

	for column, value := range map[string]string{"account": account, "session": ofSession.Of(r)} {
		if value != "" {
			query = query.Where(column+" = ?", value)
		}
	}

	for comparison, bound := range map[string]httpapi.Parameter{"ended >= ?": from, "ended < ?": to} {
		if text := bound.Of(r); text != "" {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return nil, problem(http.StatusBadRequest, bound.Name+" is no time as in RFC 3339", err)
			}

			query = query.Where(comparison, at.UTC())
		}
	}

	return query, nil
}
