package app

import (
	"errors"
	"net/http"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

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
	if err := api.Do(t.Context(), "GET", "/registrations/"+number, nil, &one); err != nil {
		t.Fatal(err)
	}
	if one.State != "registered" || one.Default != public || len(one.Identities) != 2 || one.Contacts[0].Q != 0.7 || one.Contacts[0].Path[0] != h.path() ||
		one.Charging == nil || one.Charging.ECF[0] != "aaa://ocs."+home+":3868" || one.Identities[0].Criteria == nil {
		t.Errorf("%+v", one)
	}

	if err := api.Do(t.Context(), "DELETE", "/registrations/"+public, nil, nil); err != nil {
		t.Fatal(err)
	}
	_, document := h.notified()
	wantDocument(t, document, "partial", public+" terminated terminated/deactivated", number+" terminated terminated/deactivated")
	c.hss.awaitAssignments(t, "1 8")

	for path, status := range map[string]int{
		"/registrations/" + public: http.StatusNotFound, "/registrations/sip:": http.StatusBadRequest, "/registrations?limit=0": http.StatusBadRequest,
		"/registrations?filter=x": http.StatusBadRequest,
	} {
		var problem *httpapi.Error
		if err := api.Do(t.Context(), "GET", path, nil, nil); !errors.As(err, &problem) || problem.Status != status {
			t.Errorf("GET %s: %v", path, err)
		}
	}
}
