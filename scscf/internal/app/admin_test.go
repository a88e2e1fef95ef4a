package app

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// TestRegistrationsGoOn: the list says when there is more, and where.
func TestRegistrationsGoOn(t *testing.T) {
	all := []*registration.Registration{}
	for _, uri := range []string{"sip:a@x", "sip:b@x", "sip:c@x"} {
		all = append(all, &registration.Registration{Identities: []registration.Identity{{URI: uri}}})
	}

	for query, want := range map[string][2]string{
		"":                      {"sip:a@x sip:b@x sip:c@x", ""},
		"limit=3":               {"sip:a@x sip:b@x sip:c@x", ""},
		"limit=2":               {"sip:a@x sip:b@x", "</registrations?after=sip%3Ab%40x&limit=2>; rel=\"next\""},
		"after=sip:b@x&limit=2": {"sip:c@x", ""},
		"after=sip:c@x&limit=2": {"", ""},
	} {
		w := httptest.NewRecorder()
		if err := listRegistrations(w, httptest.NewRequest("GET", "/registrations?"+query, nil), all); err != nil {
			t.Fatal(err)
		}

		var list struct {
			Total         int
			Registrations []registrationView
		}
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}

		shown := []string{}
		for _, g := range list.Registrations {
			shown = append(shown, g.Identities[0].URI)
		}

		if got := [2]string{strings.Join(shown, " "), w.Header().Get("Link")}; got != want || list.Total != 3 {
			t.Errorf("%s: %q of %d, want %q", query, got, list.Total, want)
		}
	}
}

func TestOperatorSeesAndEndsRegistrations(t *testing.T) {
	c := start(t, nil)
	c.hss.set(func(h *testHSS) {
		h.charging = &cx.ChargingInformation{PrimaryEventChargingFunction: "aaa://ocs." + home + ":3868"}
	})
	h := newHandset(t, c)
	api := c.admin
	wantStatus(t, h.registerFully("Contact: "+h.contact()+";q=0.7"), 200)
	wantStatus(t, h.subscribe("<"+public+">"), 200)
	h.notified()

	var list struct {
		Total         int                `json:"total"`
		Registrations []registrationView `json:"registrations"`
	}
	if err := api.Do(t.Context(), "GET", "/registrations", nil, &list); err != nil || list.Total != 1 || len(list.Registrations) != 1 {
		t.Fatalf("%+v %v", list, err)
	}

	var one registrationView

	digits := strings.TrimPrefix(number, "tel:+")
	if err := api.Do(t.Context(), "GET", "/registrations/"+number, nil, &one); err != nil {
		t.Fatal(err)
	}
	if one.State != "registered" || one.Default != public || len(one.Identities) != 2 || one.Contacts[0].Q != 0.7 ||
		one.Contacts[0].Path[0] != h.path() ||
		one.Charging == nil ||
		one.Charging.ECF[0] != "aaa://ocs."+home+":3868" ||
		one.Identities[0].Criteria == nil {
		t.Errorf("%+v", one)
	}

	for _, text := range []string{digits, "+" + digits, public + ":5060", strings.TrimPrefix(public, "sip:")} {
		if err := api.Do(t.Context(), "GET", "/registrations/"+text, nil, &one); err != nil || one.Default != public {
			t.Errorf("%s: %v", text, err)
		}
	}

	if err := api.Do(t.Context(), "DELETE", "/registrations/"+public, nil, nil); err != nil {
		t.Fatal(err)
	}
	_, document := h.notified()
	wantDocument(t, document, "partial", public+" terminated terminated/deactivated", number+" terminated terminated/deactivated")
	c.hss.awaitAssignments(t, "1 8")

	for path, status := range map[string]int{
		"/registrations/" + public: http.StatusNotFound,
		"/registrations/sip:":      http.StatusBadRequest,
		"/registrations?limit=0":   http.StatusBadRequest,
		"/registrations?filter=x":  http.StatusBadRequest,
	} {
		var problem *httpapi.Error
		if err := api.Do(t.Context(), "GET", path, nil, nil); !errors.As(err, &problem) || problem.Status != status {
			t.Errorf("GET %s: %v", path, err)
		}
	}
}
