package api

import (
	"math"
	"net/http"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/ocs/internal/reauth"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/records"
)

var (
	limit  = httpapi.Limit(usualRows, maxRows)
	after  = httpapi.Text("after", "the last row shown before: those behind it")
	before = httpapi.Parameter{Name: "before", Summary: "number of a row: those older than it", Number: true, Most: 1<<63 - 1}

	identity  = httpapi.Text("identity", "the one account that this identity pays from")
	ofAccount = httpapi.Text("account", "of this account only")
	ofSession = httpapi.Text("session", "of this Session-Id only")
	from      = httpapi.Text("from", "RFC 3339: those that ended then or later")
	to        = httpapi.Text("to", "RFC 3339: those that ended before")
	version   = httpapi.Parameter{Name: "version", Summary: "an older version", Number: true, Most: math.MaxUint32}
	format    = httpapi.Parameter{Name: "format", Summary: "of the answer; json if not given", Values: []string{"json", "jsonl", "csv"}}
	existing  = httpapi.Parameter{
		Name: "existing", Summary: "what becomes of an account whose name or an identity is there already; refuse if not given",
		Values: []string{"refuse", skip},
	}
	force = httpapi.Parameter{
		Name: "force", Summary: "true: nobody is asked, the session is closed here and now", Values: []string{"true", "false"},
	}
)

// skip is the value of existing that passes over accounts.
const skip = "skip"

// resources returns the resources of the API.
func (a *API) resources() []httpapi.Resource {
	const (
		conflict = http.StatusConflict
		unknown  = http.StatusNotFound
		invalid  = http.StatusUnprocessableEntity
	)

	lists := func(v any) []httpapi.Answer { return []httpapi.Answer{{Status: http.StatusOK, Body: v, Lists: true}} }
	made := func(v any) []httpapi.Answer { return []httpapi.Answer{{Status: http.StatusCreated, Body: v}} }

	return []httpapi.Resource{
		{
			Pattern: "GET /accounts", Summary: "accounts by name", Query: []httpapi.Parameter{identity, limit, after},
			Answers: lists([]Account{}), Handler: a.accounts,
		},
		{
			Pattern: "POST /accounts", Summary: "opens an account", Body: NewAccount{},
			Answers: made(Account{}), Refuses: []int{unknown, conflict, invalid}, Handler: a.add,
		},
		{
			Pattern: "POST /accounts/bulk", Summary: "opens up to 500 accounts, all or none", Body: []NewAccount{},
			Query:   []httpapi.Parameter{existing},
			Answers: made(records.Added{}), Refuses: []int{conflict, invalid}, Handler: a.addAll,
		},
		{
			Pattern: "GET /accounts/{name}", Summary: "an account", Answers: httpapi.OK(Account{}), Refuses: []int{unknown}, Handler: a.account,
		},
		{
			Pattern: "PATCH /accounts/{name}", Summary: "changes what the body names; sessions of an account that is blocked end (RAR)",
			Body: Change{}, Answers: httpapi.OK(Account{}), Refuses: []int{unknown, conflict, invalid}, Handler: a.change,
		},
		{
			Pattern: "DELETE /accounts/{name}", Summary: "pays an account out and closes it; open sessions are ended first (ASR)",
			Answers: httpapi.NoContent(), Refuses: []int{unknown, conflict}, Handler: a.closeAccount,
		},
		{
			Pattern: "POST /accounts/{name}/top-up", Summary: "adds money; the same reference again moves nothing", Body: TopUp{},
			Answers: httpapi.OK(Account{}), Refuses: []int{unknown, conflict, invalid}, Handler: a.topUp,
		},
		{
			Pattern: "GET /tariffs", Summary: "the tariffs in force", Answers: httpapi.OK([]*rating.Tariff{}), Handler: a.tariffs,
		},
		{
			Pattern: "GET /tariffs/{name}", Summary: "a tariff", Query: []httpapi.Parameter{version},
			Answers: httpapi.OK(rating.Tariff{}), Refuses: []int{unknown}, Handler: a.tariff,
		},
		{
			Pattern: "GET /tariffs/{name}/versions", Summary: "since when each version is or was in force",
			Answers: httpapi.OK([]credit.StoredTariff{}), Refuses: []int{unknown}, Handler: a.versions,
		},
		{
			Pattern: "PUT /tariffs/{name}", Summary: "a new version of a tariff, for what begins from now on", Body: rating.Tariff{},
			Answers: httpapi.OK(rating.Tariff{}), Handler: a.setTariff,
		},
		{
			Pattern: "GET /sessions", Summary: "open sessions", Query: []httpapi.Parameter{ofAccount, limit, after},
			Answers: lists([]credit.Session{}), Handler: a.sessions,
		},
		{
			Pattern: "POST /sessions/{id}/reauth", Summary: "asks the network function to ask for credit anew (RAR)",
			Answers: httpapi.OK(reauth.Answer{}), Refuses: []int{unknown, conflict}, Handler: a.reauthorise,
		},
		{
			Pattern: "DELETE /sessions/{id}", Summary: "asks the network function to end a session (ASR)", Query: []httpapi.Parameter{force},
			Answers: append(httpapi.OK(reauth.Answer{}), httpapi.OK(Closed{})...), Refuses: []int{unknown, conflict}, Handler: a.abort,
		},
		{
			Pattern: "GET /cdrs", Summary: "charging data records, the newest first",
			Query: []httpapi.Parameter{ofAccount, ofSession, from, to, format, limit, before},
			Answers: append(
				lists([]credit.CDR{}),
				httpapi.Answer{Status: http.StatusOK, Type: "application/jsonl"}, httpapi.Answer{Status: http.StatusOK, Type: "text/csv"},
			),
			Handler: a.cdrs,
		},
		{
			Pattern: "GET /ledger", Summary: "accounts, and movements, the newest first",
			Query:   []httpapi.Parameter{ofAccount, ofSession, limit, before},
			Answers: lists(Ledger{}), Handler: a.ledger,
		},
		{
			Pattern: "GET /ledger/audit", Summary: "looks at every entry", Answers: httpapi.OK(ledger.Audit{}), Handler: a.audit,
		},
	}
}
