package app

import (
	"net/http"
	"slices"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/gm"
	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec"
	"github.com/dialtone-ims/dialtone/pcscf/internal/protection"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// serveAdmin adds handsets, their security associations and blocked sources to the admin HTTP.
func serveAdmin(server *httpapi.Server, proxy *gm.Proxy, guard *protection.Guard, access *ipsec.Access, domain string) {
	privates := func(identity string) []string {
		all := append(ims.ParseWritten(identity, domain).Private, identity)
		for _, b := range list(proxy.Handsets(), proxy.Unreachable, identity, domain) {
			all = append(all, b.Private)
		}

		return all
	}

	server.Handle(
		httpapi.Resource{
			Pattern: "GET /bindings", Summary: "the handsets that are registered", Query: []httpapi.Parameter{byIdentity},
			Answers: httpapi.OK([]view{}),
			Handler: func(w http.ResponseWriter, r *http.Request) error {
				return httpapi.Write(w, http.StatusOK, list(proxy.Handsets(), proxy.Unreachable, byIdentity.Of(r), domain))
			},
		},
		access.Associations(privates),
		httpapi.Get("/bans", "who is banned, and until when", guard.Bans),
		httpapi.Resource{
			Pattern: "DELETE /bans", Summary: "lifts all bans", Answers: httpapi.NoContent(),
			Handler: func(w http.ResponseWriter, _ *http.Request) error {
				guard.Lift()
				return httpapi.Write(w, http.StatusNoContent, nil)
			},
		},
	)
}

var byIdentity = httpapi.Text("identity", "what is meant by an IMSI, a user name, an MSISDN, tel:, sip: or user@domain")

// view is a binding as the admin port shows it.
type view struct {
	Private      string   `json:"private_identity"`
	Identities   []string `json:"public_identities"`
	Contact      string   `json:"contact"`
	Flow         string   `json:"flow"`
	ServiceRoute []string `json:"service_route"`
	Expires      string   `json:"expires"`
	Ended        string   `json:"ended,omitempty"`       // why the registration ended
	Unreachable  string   `json:"unreachable,omitempty"` // why the handset gets no calls, as the access network says
}

// list returns the bindings, or those of one identity.
func list(all []*binding.Binding, unreachable func(*binding.Binding) string, identity, domain string) []view {
	shown, meant := []view{}, ims.ParseWritten(identity, domain)

	for _, b := range all {
		if identity != "" && !meant.Means(b.Private, b.Identities...) {
			continue
		}

		shown = append(
			shown,
			view{
				Private:      b.Private,
				Identities:   b.Identities,
				Contact:      b.Contact,
				Flow:         b.Flow.String(),
				ServiceRoute: b.ServiceRoute,
				Expires:      b.Expires.UTC().Format("2006-01-02T15:04:05Z"),
				Ended:        b.Ended,
				Unreachable:  unreachable(b),
			},
		)
	}

	slices.SortFunc(shown, func(a, b view) int {
		if a.Private < b.Private {
			return -1
		}
		return 1
	})

	return shown
}
