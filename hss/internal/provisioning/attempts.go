package provisioning

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// Attempt is an attempt of a handset, known here or not, to register.
type Attempt struct {
	PrivateIdentity string `json:"private_identity"`
	PublicIdentity  string `json:"public_identity,omitempty"`
	Says            string `json:"says"` // how far it has come, and what to check
	Steps           []Step `json:"steps"`
}

// Step is a Cx command of an attempt. 3GPP results (Experimental-Result) are marked with an x.
type Step struct {
	attempt.Step
	Result string `json:"result"`
}

// AttemptList is the attempts since this process started, the latest first.
type AttemptList struct {
	Since    time.Time `json:"since"`
	Others   int       `json:"others"`               // attempts of other identities
	Known    []string  `json:"subscriber,omitempty"` // private identities of the subscriber asked about, if it exists
	Attempts []Attempt `json:"attempts"`
}

func (a *API) listAttempts(w http.ResponseWriter, r *http.Request) error {
	list := AttemptList{Since: a.attempts.Since(), Attempts: []Attempt{}}
	private, text := byPrivate.Of(r), byIdentity.Of(r)

	if text != "" {
		var err error
		if list.Known, err = a.privatesOf(r.Context(), text); err != nil {
			return err
		}
	}

	meant := ims.ParseWritten(text, a.domain)

	for _, one := range a.attempts.List("") {
		if private != "" && one.PrivateIdentity != private ||
			text != "" && !slices.Contains(list.Known, one.PrivateIdentity) && !meant.Means(one.PrivateIdentity, one.PublicIdentity) &&
				!elsewhere(text, one.PrivateIdentity) {
			list.Others++
			continue
		}

		user, err := a.user(r.Context(), one.PrivateIdentity)
		if err != nil {
			return err
		}

		shown := Attempt{PrivateIdentity: one.PrivateIdentity, PublicIdentity: one.PublicIdentity, Says: one.Says(time.Now(), user)}

		for _, s := range one.Steps {
			result := strconv.FormatUint(uint64(s.Result.Code), 10)
			if s.Result.Vendor != 0 {
				result += "x"
			}

			shown.Steps = append(shown.Steps, Step{s, result})
		}

		list.Attempts = append(list.Attempts, shown)
	}

	return httpapi.Write(w, http.StatusOK, list)
}

// elsewhere reports whether a user name without a domain belongs to a private identity, whatever its domain: handsets come with wrong ones.
func elsewhere(user, private string) bool {
	name, _, found := strings.Cut(private, "@")

	return found && name == strings.TrimSpace(user)
}

// privatesOf returns the private identities of the subscriber that a text means, if there is one.
func (a *API) privatesOf(ctx context.Context, text string) (identities []string, err error) {
	err = a.store.View(ctx, func(tx *subscriber.Tx) error {
		s, err := tx.Written(text, a.domain)
		if errors.Is(err, subscriber.ErrNotFound) {
			return nil
		}

		if err != nil {
			return err
		}

		for _, p := range s.Private {
			identities = append(identities, p.Identity)
		}

		return nil
	})

	return identities, err
}

// user returns what the store knows of the user of an attempt.
func (a *API) user(ctx context.Context, private string) (user attempt.User, err error) {
	who, err := a.store.Identities(ctx, private, "")
	if err != nil {
		return user, err
	}

	if who.Private != nil {
		user.Password = who.Private.Scheme == subscriber.SIPDigest
		return user, nil
	}

	name, domain, _ := strings.Cut(private, "@")
	if domain == a.domain {
		return user, nil
	}

	if who, err = a.store.Identities(ctx, name+"@"+a.domain, ""); err == nil && who.Private != nil {
		user.Meant = who.Private.Identity
	}

	return user, err
}
