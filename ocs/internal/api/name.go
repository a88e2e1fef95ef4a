package api

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// named returns the account named in the path of a request: by its name, or by an identity that pays from it.
func (a *API) named(r *http.Request) (string, error) {
	return a.written(r.Context(), r.PathValue("name"))
}

// written returns the name of the account that a text means: the one with that name, or else the one that the identity, in any form, pays
// from. If there is neither, it returns the text; identities of several accounts are a conflict.
func (a *API) written(ctx context.Context, text string) (string, error) {
	if text == "" {
		return "", nil
	}

	var names []string

	accounts := a.store.Read(ctx).Model(&ledger.Account{}).Where("name = ? AND kind = ?", text, ledger.Subscriber).Limit(1)
	if err := accounts.Pluck("name", &names).Error; err != nil || len(names) > 0 {
		return text, err
	}

	var found []ledger.Identity

	uris := a.meant(text)
	if err := a.store.Read(ctx).Where("uri IN ?", uris).Find(&found).Error; err != nil {
		return "", err
	}

	paying := map[string]struct{}{}
	for _, identity := range found {
		paying[identity.Account] = struct{}{}
	}

	if len(paying) == 0 {
		return text, nil
	}

	names = slices.Sorted(maps.Keys(paying))
	if len(names) > 1 {
		return "", &httpapi.Error{
			Status: http.StatusConflict, Title: "it means several accounts",
			Detail: fmt.Sprintf("identities of %s pay from %s: name the account", text, strings.Join(names, " and from ")),
		}
	}

	return names[0], nil
}

// meant returns the identities that a text may mean, as accounts have them.
func (a *API) meant(text string) (uris []string) {
	w := ims.ParseWritten(text, a.domain)
	if w.IMSI != "" {
		uris = append(uris, "imsi:"+w.IMSI)
	}

	for _, private := range w.Private {
		uris = append(uris, "nai:"+private)
	}

	return append(append(uris, w.Public...), text)
}
