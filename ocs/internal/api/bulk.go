package api

import (
	"fmt"
	"net/http"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/records"
)

// addAll opens several accounts in one transaction: all of them, or none and the first error. On request, those that are there already
// are passed over.
func (a *API) addAll(w http.ResponseWriter, r *http.Request) error {
	all, err := httpapi.Decode[[]NewAccount](r)
	if err != nil {
		return err
	}

	if len(all) == 0 || len(all) > records.AtOnce {
		return problem(http.StatusBadRequest, fmt.Sprintf("there must be 1 to %d accounts", records.AtOnce), nil)
	}

	answer, wanted, known := records.Added{}, make([]ledger.New, len(all)), map[string]bool{"": true}

	for i, n := range all {
		if err := n.check(); err != nil {
			return records.Refused(i, err)
		}

		if !known[n.Tariff] {
			if err := a.checkTariff(r, n.Tariff); err != nil {
				return records.Refused(i, err)
			}

			known[n.Tariff] = true
		}

		for _, text := range n.warnings() {
			answer.Warnings = append(answer.Warnings, records.Warning{Item: i, Warning: text})
		}

		wanted[i] = ledger.New{Name: n.Name, Tariff: n.Tariff, Identities: n.Identities, Amount: n.Balance}
	}

	var refused int
	if answer.Added, refused, err = a.store.AddAll(r.Context(), wanted, existing.Of(r) == skip); err != nil {
		if err = problemOf(err); refused >= 0 {
			err = records.Refused(refused, err)
		}

		return err
	}

	answer.Skipped = len(all) - answer.Added

	return httpapi.Write(w, http.StatusCreated, answer)
}
