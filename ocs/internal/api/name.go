package api

import (
	"context"
	"net/http"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// named is the account that the path of a request names: by its name, or by an identity that pays from it.
func (a API) named(r *http.Request) (string, error) {
	return a.written(r.Context(), r.PathValue("name"))
}

// written is the name of the account that a text means: one that has it as its name, or else the one that the identity pays from, however
// it is written. Without either it is the text itself.
func (a API) written(ctx context.Context, text string) (string, error) {
	if text == "" {
		return "", nil
	}

	var names []string

	accounts := a.Store.Read(ctx).Model(&ledger.Account{}).Where("name = ? AND kind = ?", text, ledger.Subscriber).Limit(1)
	if err := accounts.Pluck("name", &names).Error; err != nil || len(names) > 0 {
		return text, err
	}

	var found []ledger.Identity

	uris := a.meant(text)
	if err := a.Store.Read(ctx).Where("uri IN ?", uris).Find(&found).Error; err != nil {
		return "", err
	}

	for _, uri := range uris { // the likeliest first
		for _, identity := range found {
			if identity.URI == uri {
				return identity.Account, nil
			}
		}
	}

	return text, nil
}

// meant are the identities that a text may mean, as accounts have them.
func (a API) meant(text string) (uris []string) {
	w := ims.ReadWritten(text, a.Domain)
	if w.IMSI != "" {
		uris = append(uris, "imsi:"+w.IMSI)
	}

	for _, private := range w.Private {
		uris = append(uris, "nai:"+private)
	}

	return append(append(uris, w.Public...), text)
}
