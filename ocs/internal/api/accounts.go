package api

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// NewAccount is the body of POST /accounts.
type NewAccount struct {
	Name       string   `json:"name"`
	Identities []string `json:"identities"` // tel:, sip:, imsi: or nai:
	Tariff     string   `json:"tariff,omitempty"`
	Balance    int64    `json:"balance"`
}

// Change is the body of PATCH /accounts/{name}: omitted fields stay.
type Change struct {
	Tariff     *string   `json:"tariff,omitempty"` // "": the configured one
	Blocked    *bool     `json:"blocked,omitempty"`
	Identities *[]string `json:"identities,omitempty"` // replaces the present ones
}

// Account is an account as shown.
type Account struct {
	Name       string     `json:"name"`
	Balance    int64      `json:"balance"`  // available
	Reserved   int64      `json:"reserved"` // held for sessions
	Tariff     string     `json:"tariff,omitempty"`
	Blocked    bool       `json:"blocked,omitempty"`
	Created    time.Time  `json:"created"`
	Closed     *time.Time `json:"closed,omitempty"`
	Identities []string   `json:"identities"`
	Warnings   []string   `json:"warnings,omitempty"` // probable mistakes, for a new account
}

// TopUp is the body of POST /accounts/{name}/top-up. Repeated with the same reference it moves nothing; if the account or amount differs,
// it is refused.
type TopUp struct {
	Amount    int64  `json:"amount"`
	Note      string `json:"note,omitempty"`
	Reference string `json:"reference,omitempty"`
}

const (
	maxName       = 100 // octets
	maxNote       = 1000
	maxReference  = 255
	maxIdentities = 100
	maxIdentity   = 1024
	maxNAI        = 253 // octets (RFC 7542 §2.3)
)

func (a *API) add(w http.ResponseWriter, r *http.Request) error {
	n, err := httpapi.Decode[NewAccount](r)
	if err != nil {
		return err
	}

	if err := n.check(); err != nil {
		return err
	}

	if err := a.checkTariff(r, n.Tariff); err != nil {
		return err
	}

	if err := a.store.Add(r.Context(), n.Name, n.Tariff, n.Identities, n.Balance); err != nil {
		return err
	}

	all, err := a.load(r, []string{n.Name})
	if err != nil || len(all) == 0 {
		return problem(http.StatusNotFound, "unknown account", err)
	}

	all[0].Warnings = n.warnings()

	return httpapi.Write(w, http.StatusCreated, all[0])
}

// check returns an error if the account is invalid, and normalises its identities.
func (n NewAccount) check() error {
	if n.Name == "" || len(n.Name) > maxName || n.Name == ledger.Network || n.Balance < 0 || n.Balance >= ledger.MaxBalance {
		return problem(http.StatusBadRequest, "an account needs a name of its own and a balance that is not negative", nil)
	}

	return errors.Join(check("name", n.Name, maxName), check("tariff", n.Tariff, maxName), normalise(n.Identities))
}

// warnings returns what is valid but probably a mistake.
func (n NewAccount) warnings() (all []string) {
	if len(n.Identities) == 0 {
		return []string{"account " + n.Name + " has no identities: nobody pays from it"}
	}

	for _, identity := range n.Identities {
		switch scheme, rest, _ := strings.Cut(identity, ":"); {
		case (scheme == "sip" || scheme == "sips") && !strings.Contains(rest, "@"):
			all = append(all, "identity "+identity+" names a host and no user: a user is sip:USER@DOMAIN")
		case scheme == "tel" && strings.HasPrefix(rest, "+0"):
			all = append(all, "identity "+identity+" has 0 where the country code begins (ITU-T E.164)")
		}
	}

	return all
}

// normalise changes identities to the form that requests are compared with.
func normalise(identities []string) error {
	if len(identities) > maxIdentities {
		return problem(http.StatusBadRequest, "an account has too many identities", nil)
	}

	for i, identity := range identities {
		if err := check("identity", identity, maxIdentity); err != nil {
			return err
		}

		if imsi, found := strings.CutPrefix(identity, "imsi:"); found && imsi != "" && len(imsi) <= 15 && strings.Trim(imsi, "0123456789") == "" {
			continue
		}

		if nai, found := strings.CutPrefix(identity, "nai:"); found {
			user, realm, whole := strings.Cut(nai, "@")
			if !whole || user == "" || realm == "" || len(nai) > maxNAI || strings.ContainsAny(nai, " \t\r\n") {
				return problem(http.StatusBadRequest, "identity "+identity+" is no NAI: nai:user@realm", nil)
			}

			identities[i] = "nai:" + user + "@" + strings.ToLower(realm)

			continue
		}

		if number, found := strings.CutPrefix(strings.ToLower(identity), "tel:"); found && !strings.HasPrefix(number, "+") &&
			!strings.Contains(number, ";phone-context=") {
			return problem(
				http.StatusBadRequest,
				"identity "+identity+" is no number that is known everywhere: tel:+ and the country code (RFC 3966 §5.1.4)",
				nil,
			)
		}

		canonical, err := ims.CanonicalIdentity(identity)
		if err != nil {
			return problem(http.StatusBadRequest, "identity "+identity+" is not tel:, sip:, imsi: or nai:", err)
		}

		identities[i] = canonical
	}

	return nil
}

func (a *API) change(w http.ResponseWriter, r *http.Request) error {
	c, err := httpapi.Decode[Change](r)
	if err != nil {
		return err
	}

	if c.Tariff != nil {
		if err := check("tariff", *c.Tariff, maxName); err != nil {
			return err
		}

		if err := a.checkTariff(r, *c.Tariff); err != nil {
			return err
		}
	}

	if c.Identities != nil {
		if err := normalise(*c.Identities); err != nil {
			return err
		}
	}

	name, err := a.named(r)
	if err != nil {
		return err
	}

	if err := a.store.Change(r.Context(), name, ledger.Change(c)); err != nil {
		return err
	}

	if c.Blocked != nil && *c.Blocked {
		a.asker.Blocked(r.Context(), name)
	}

	return a.show(w, r, name, http.StatusOK)
}

func (a *API) closeAccount(w http.ResponseWriter, r *http.Request) error {
	name, err := a.named(r)
	if err != nil {
		return err
	}

	err = a.store.Closed(r.Context(), name)
	if errors.Is(err, ledger.ErrInUse) {
		err = a.closeInUse(r.Context(), name)
	}

	if err != nil {
		return err
	}

	a.asker.Blocked(r.Context(), name) // sessions without a reservation

	return httpapi.Write(w, http.StatusNoContent, nil)
}

func (a *API) topUp(w http.ResponseWriter, r *http.Request) error {
	t, err := httpapi.Decode[TopUp](r)
	if err != nil {
		return err
	}

	if err := errors.Join(check("note", t.Note, maxNote), check("reference", t.Reference, maxReference)); err != nil {
		return err
	}

	name, err := a.named(r)
	if err != nil {
		return err
	}

	if err := a.store.TopUp(r.Context(), name, t.Amount, t.Note, t.Reference); err != nil {
		return err
	}

	a.asker.ToppedUp(r.Context(), name)

	return a.show(w, r, name, http.StatusOK)
}

func (a *API) account(w http.ResponseWriter, r *http.Request) error {
	name, err := a.named(r)
	if err != nil {
		return err
	}

	return a.show(w, r, name, http.StatusOK)
}

func (a *API) show(w http.ResponseWriter, r *http.Request, name string, status int) error {
	all, err := a.load(r, []string{name})
	if err != nil {
		return err
	}

	if len(all) == 0 {
		return problem(http.StatusNotFound, "unknown account", errors.New(name))
	}

	return httpapi.Write(w, status, all[0])
}

func (a *API) accounts(w http.ResponseWriter, r *http.Request) error {
	var err error

	names, limit := []string{}, rowsOf(r)

	if identity := identity.Of(r); identity != "" {
		meant := a.meant(identity)
		if one := []string{identity}; normalise(one) == nil {
			meant = append(meant, one[0])
		}

		err = a.store.Read(r.Context()).Model(&ledger.Identity{}).Where("uri IN ?", meant).Distinct().Order("account").
			Pluck("account", &names).Error
	} else {
		err = a.store.Read(r.Context()).Model(&ledger.Account{}).Where("kind = ? AND name > ?", ledger.Subscriber, after.Of(r)).
			Order("name").Limit(limit+1).Pluck("name", &names).Error
		names = httpapi.Page(w, r, names, limit, "after", func(name string) string { return name })
	}

	if err != nil {
		return err
	}

	all, err := a.load(r, names)
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, all)
}

// load returns these accounts, by name.
func (a *API) load(r *http.Request, names []string) ([]Account, error) {
	var (
		rows       []ledger.Account
		identities []ledger.Identity
		all        = []Account{}
		at         = map[string]int{}
	)

	for len(names) > 0 { // databases limit the values in one query
		some := names[:min(len(names), 500)]
		names = names[len(some):]
		db := a.store.Read(r.Context())

		kinds := []string{ledger.Subscriber, ledger.Reserved}
		if err := db.Where("name IN ? AND kind IN ?", some, kinds).Order("name, kind DESC").Find(&rows).Error; err != nil {
			return nil, err
		}

		if err := db.Where("account IN ?", some).Order("uri").Find(&identities).Error; err != nil {
			return nil, err
		}

		for _, row := range rows {
			if row.Kind == ledger.Reserved {
				all[at[row.Name]].Reserved = row.Balance
				continue
			}

			at[row.Name] = len(all)
			all = append(all, Account{
				Name:       row.Name,
				Balance:    row.Balance,
				Tariff:     row.Tariff,
				Blocked:    row.Blocked,
				Created:    row.Created,
				Closed:     row.Closed,
				Identities: []string{},
			})
		}

		for _, identity := range identities {
			all[at[identity.Account]].Identities = append(all[at[identity.Account]].Identities, identity.URI)
		}

		rows, identities = nil, nil
	}

	return all, nil
}
