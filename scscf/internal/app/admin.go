package app

import (
	"errors"
	"net/http"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/scscf/internal/registrar"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// registrationView is a registration as the admin HTTP shows it.
type registrationView struct {
	State      string         `json:"state"`
	Private    string         `json:"private_identity"`
	Default    string         `json:"default_identity"`
	Identities []identityView `json:"identities"`
	Contacts   []contactView  `json:"contacts"`
	Until      *time.Time     `json:"until,omitempty"` // of an unregistered user's profile
	Charging   *chargingView  `json:"charging,omitempty"`
}

type identityView struct {
	URI      string   `json:"uri"`
	Barred   bool     `json:"barred"`
	Wildcard bool     `json:"wildcard,omitempty"`
	Criteria *int     `json:"filter_criteria" jsonschema:"nullable"` // null: the profile has not come back from the HSS yet
	Servers  []string `json:"application_servers,omitempty"`
}

type contactView struct {
	Contact    string    `json:"contact"`
	Parameters string    `json:"parameters,omitempty"`
	Path       []string  `json:"path"`
	Private    string    `json:"private_identity"`
	Identity   string    `json:"registered_identity"`
	Q          float64   `json:"q"`
	Expires    time.Time `json:"expires"`
	Registered time.Time `json:"registered"`
	CallID     string    `json:"call_id"`
	CSeq       uint32    `json:"cseq"`
}

type chargingView struct {
	ECF []string `json:"ecf"`
	CCF []string `json:"ccf"`
}

func viewOf(g *registration.Registration) registrationView {
	v := registrationView{State: g.State.String(), Private: g.Private, Default: g.Default(), Contacts: []contactView{}}

	for _, i := range g.Identities {
		identity := identityView{URI: i.URI, Barred: i.Barred, Wildcard: i.Wildcard != nil}

		if i.Profile != nil {
			criteria := i.Profile.Chain.Len()
			identity.Criteria, identity.Servers = &criteria, i.Profile.Servers
		}

		v.Identities = append(v.Identities, identity)
	}

	for _, b := range g.Bindings {
		v.Contacts = append(v.Contacts, contactView{
			Contact: b.Contact, Parameters: b.Params, Path: b.Path, Private: b.Private, Identity: b.Identity, Q: float64(b.Q) / 1000,
			Expires: b.Expires, Registered: b.Registered, CallID: b.CallID, CSeq: b.CSeq,
		})
	}

	if !g.Until.IsZero() {
		v.Until = &g.Until
	}

	if c, given := g.Charging(); given {
		v.Charging = &chargingView{ECF: filled(c.EventPrimary, c.EventSecondary), CCF: filled(c.CollectionPrimary, c.CollectionSecondary)}
	}

	return v
}

func filled(texts ...string) []string {
	all := []string{}

	for _, text := range texts {
		if text != "" {
			all = append(all, text)
		}
	}

	return all
}

// serveAdmin adds the registrations to the admin HTTP.
func serveAdmin(server *httpapi.Server, r *registrar.Registrar, node *diameter.Node, domain string) {
	server.Handle(
		httpapi.Get("/peers", "Diameter connections", node.Peers),
		httpapi.Resource{
			Pattern: "GET /registrations", Summary: "registrations, in the order of their first identity",
			Query:   []httpapi.Parameter{limit, after},
			Answers: []httpapi.Answer{{Status: http.StatusOK, Body: registrationList{}, Lists: true}},
			Handler: func(w http.ResponseWriter, request *http.Request) error {
				return listRegistrations(w, request, r.Snapshot())
			},
		},
		httpapi.Resource{
			Pattern: "GET /registrations/{identity}", Summary: "the registration of a public identity",
			Answers: httpapi.OK(registrationView{}), Refuses: []int{http.StatusNotFound},
			Handler: func(w http.ResponseWriter, request *http.Request) error {
				_, g, err := named(request, r, domain)
				if err != nil {
					return err
				}

				return httpapi.Write(w, http.StatusOK, viewOf(g))
			},
		},
		httpapi.Resource{
			Pattern: "DELETE /registrations/{identity}", Summary: "ends the registration of a public identity",
			Answers: httpapi.NoContent(), Refuses: []int{http.StatusNotFound, http.StatusBadGateway},
			Handler: func(w http.ResponseWriter, request *http.Request) error { return deregister(w, request, r, domain) },
		},
	)
}

func deregister(w http.ResponseWriter, request *http.Request, r *registrar.Registrar, domain string) error {
	public, _, err := named(request, r, domain)
	if err != nil {
		return err
	}

	found, err := r.Deregister(request.Context(), public, registration.ByOperator)

	switch {
	case !found:
		return unknown(public)
	case err != nil: // it has ended here all the same
		return &httpapi.Error{
			Status: http.StatusBadGateway,
			Title:  "the registration has ended, but the HSS was not told",
			Detail: err.Error(),
		}
	}

	return httpapi.Write(w, http.StatusNoContent, nil)
}

var (
	limit = httpapi.Limit(100, 1000)
	after = httpapi.Text("after", "a public identity: registrations behind it")
)

// registrationList is the response of GET /registrations.
type registrationList struct {
	Total         int                `json:"total"`
	Registrations []registrationView `json:"registrations"`
}

// listRegistrations lists registrations in the order of their first identity: those after ?after=, at most ?limit=.
func listRegistrations(w http.ResponseWriter, request *http.Request, all []*registration.Registration) error {
	page := registrationList{Total: len(all), Registrations: []registrationView{}}
	last, most := "", int(limit.NumberOf(request))

	for _, g := range all {
		if after := after.Of(request); after != "" && g.First() <= after {
			continue
		}

		if len(page.Registrations) == most {
			httpapi.Next(w, request, "after", last)
			break
		}

		page.Registrations = append(page.Registrations, viewOf(g))
		last = g.First()
	}

	return httpapi.Write(w, http.StatusOK, page)
}

// named returns the registration that the path names, by any of its identities in any form.
func named(request *http.Request, r *registrar.Registrar, domain string) (string, *registration.Registration, error) {
	text := request.PathValue("identity")
	meant := ims.ParseWritten(text, domain).Public

	if len(meant) == 0 {
		return "", nil, &httpapi.Error{Status: http.StatusBadRequest, Title: "this is no identity", Detail: text}
	}

	for _, public := range meant {
		if g, found := r.Registration(public); found {
			return public, g, nil
		}
	}

	return "", nil, unknown(text)
}

func unknown(public string) error {
	return &httpapi.Error{Status: http.StatusNotFound, Title: "not registered here", Detail: public}
}

var errNoHSS = errors.New("no HSS is connected")
