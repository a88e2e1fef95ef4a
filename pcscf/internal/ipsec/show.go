package ipsec

import (
	"net/http"
	"net/netip"

	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/association"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

const (
	shownByDefault = 100 // each takes four queries of the kernel
	shownAtMost    = 10_000
)

// associations is the answer to GET /associations.
type associations struct {
	Sets  int                 `json:"sets"` // of the selection, shown or not
	Shown []association.Shown `json:"shown"`
	Drops []drop              `json:"drops"` // what the kernel has dropped since the P-CSCF started
}

var (
	limit = httpapi.Limit(shownByDefault, shownAtMost)
	user  = httpapi.Text("user", "those of the user that is meant by any identity")
	ue    = httpapi.Text("ue", "those of the handset with this IP address")
	after = httpapi.Text("after", "a place among the sets, as the link names it: those behind it")
)

// Associations returns the resource that lists the security associations. A user may be named by any identity: privates returns its private
// ones.
func (a *Access) Associations(privates func(identity string) []string) httpapi.Resource {
	return httpapi.Resource{
		Pattern: "GET /associations", Summary: "the security associations of handsets, and what the kernel has dropped",
		Query:   []httpapi.Parameter{user, ue, limit, after},
		Answers: []httpapi.Answer{{Status: http.StatusOK, Body: associations{}, Lists: true}},
		Handler: func(w http.ResponseWriter, r *http.Request) error { return a.show(w, r, privates) },
	}
}

func (a *Access) show(w http.ResponseWriter, r *http.Request, privates func(identity string) []string) error {
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
	selection := association.Selection{Limit: int(limit.NumberOf(r))}

	if identity := user.Of(r); identity != "" {
		selection.Private = privates(identity)
	}

	if text := ue.Of(r); text != "" {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return selection, &httpapi.Error{Status: http.StatusBadRequest, Title: "ue is not an IP address", Detail: err.Error()}
		}

		selection.UE = address.Unmap()
	}

	if text := after.Of(r); text != "" {
		var err error
		if selection.After, err = association.ParsePlace(text); err != nil {
			return selection, &httpapi.Error{Status: http.StatusBadRequest, Title: "after is no place among the sets", Detail: err.Error()}
		}
	}

	return selection, nil
}
