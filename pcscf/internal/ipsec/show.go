package ipsec

import (
	"net/http"
	"net/netip"
	"strconv"

	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/association"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

const (
	shownByDefault = 100 // the kernel is asked four times for each
	shownAtMost    = 10_000
)

// associations is the answer to GET /associations.
type associations struct {
	Sets  int                 `json:"sets"` // of the selection, shown or not
	Shown []association.Shown `json:"shown"`
	Drops []drop              `json:"drops"` // what the kernel has dropped since the P-CSCF started
}

// ShowAssociations serves GET /associations?user=…&ue=…&after=…&limit=…. A user may be named by any identity: privates are the private
// ones that it means.
func (a *Access) ShowAssociations(w http.ResponseWriter, r *http.Request, privates func(identity string) []string) error {
	selection, err := selected(r, privates)
	if err != nil {
		return err
	}

	answer := associations{Shown: []association.Shown{}, Drops: []drop{}}

	if a.table != nil {
		var more bool
		if answer.Shown, answer.Sets, more = a.table.Show(selection); more {
			httpapi.Next(w, r, "after", answer.Shown[len(answer.Shown)-1].Place().String())
		}

		answer.Drops = a.drops.moved()
	}

	return httpapi.Write(w, http.StatusOK, answer)
}

func selected(r *http.Request, privates func(identity string) []string) (association.Selection, error) {
	query := r.URL.Query()
	selection := association.Selection{Limit: shownByDefault}

	if user := query.Get("user"); user != "" {
		selection.Private = privates(user)
	}

	if text := query.Get("ue"); text != "" {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return selection, &httpapi.Error{Status: http.StatusBadRequest, Title: "ue is not an IP address", Detail: err.Error()}
		}

		selection.UE = address.Unmap()
	}

	if text := query.Get("after"); text != "" {
		var err error
		if selection.After, err = association.ParsePlace(text); err != nil {
			return selection, &httpapi.Error{Status: http.StatusBadRequest, Title: "after is no place among the sets", Detail: err.Error()}
		}
	}

	if text := query.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 || limit > shownAtMost {
			return selection, &httpapi.Error{
				Status: http.StatusBadRequest,
				Title:  "limit is not a number between 1 and " + strconv.Itoa(shownAtMost),
				Detail: text,
			}
		}

		selection.Limit = limit
	}

	return selection, nil
}
