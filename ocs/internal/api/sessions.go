package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/reauth"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// reauthorise sends a RAR and shows the outcome.
func (a *API) reauthorise(w http.ResponseWriter, r *http.Request) error {
	answer, err := a.asker.ReAuthorise(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, answer)
}

// Closed is the answer of DELETE /sessions/{id}?force=true.
type Closed struct {
	Session  string `json:"session"`
	Account  string `json:"account"`
	Charged  int64  `json:"charged"`
	Returned int64  `json:"returned"` // all that was reserved
}

// abort sends an ASR and shows the outcome. The session stays until its last report, unless it is closed by force: then no request is sent.
func (a *API) abort(w http.ResponseWriter, r *http.Request) error {
	if force.Of(r) == "true" {
		s, err := a.close(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}

		return httpapi.Write(w, http.StatusOK, Closed{Session: s.ID, Account: s.Account, Charged: s.Charged, Returned: s.Returned})
	}

	answer, err := a.asker.Abort(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, answer)
}

const (
	closing     = 5 * time.Second // for the sessions of an account being closed to end
	closingLook = 50 * time.Millisecond
)

// closeInUse closes an account with sessions: it is blocked, they are aborted, and what they report is charged before the rest is paid out.
func (a *API) closeInUse(ctx context.Context, name string) error {
	blocked := true
	if err := a.store.Change(ctx, name, ledger.Change{Blocked: &blocked}); err != nil {
		return err
	}

	ids, err := a.asker.Sessions(ctx, name, reauth.All)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(ctx, closing)
	defer cancel()

	for _, id := range ids {
		if _, err := a.asker.Abort(ctx, id); err != nil && ctx.Err() != nil {
			break // the session has just ended
		}
	}

	tick := time.NewTicker(closingLook)
	defer tick.Stop()

	for {
		err := a.store.Closed(context.WithoutCancel(ctx), name)
		if !errors.Is(err, ledger.ErrInUse) {
			return err
		}

		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: the account is blocked, and the network functions are asked to end them; close it again when they have", err)
		}
	}
}
