package provisioning

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

// ServiceProfile is what public identities share: the initial filter criteria, as structures or as the XML of TS 29.228
// annex E.
type ServiceProfile struct {
	Name                   string                       `json:"name"`
	FilterCriteria         []ifc.InitialFilterCriterion `json:"filter_criteria"`
	XML                    string                       `json:"xml,omitempty"` // instead of filter_criteria
	SharedSets             []int                        `json:"shared_sets,omitempty"`
	SubscribedMediaProfile *int                         `json:"subscribed_media_profile,omitempty"`
	UnregisteredServices   bool                         `json:"unregistered_services"` // read only: unregistered callees are served
}

// ProfileList is all service profiles.
type ProfileList struct {
	ServiceProfiles []ServiceProfile `json:"service_profiles"`
}

func showProfile(p *subscriber.ServiceProfile) (ServiceProfile, error) {
	criteria, err := decodeCriteria(p.FilterCriteria)
	if err != nil {
		return ServiceProfile{}, fmt.Errorf("service profile %s: %w", p.Name, err)
	}

	if criteria == nil {
		criteria = []ifc.InitialFilterCriterion{}
	}

	return ServiceProfile{
		Name: p.Name, FilterCriteria: criteria, SharedSets: p.SharedSets,
		SubscribedMediaProfile: p.SubscribedMediaProfile, UnregisteredServices: p.UnregisteredServices,
	}, nil
}

func (a *API) listProfiles(w http.ResponseWriter, r *http.Request) error {
	list := ProfileList{ServiceProfiles: []ServiceProfile{}}

	err := a.store.View(r.Context(), func(tx *subscriber.Tx) error {
		profiles, err := tx.AllProfiles()
		if err != nil {
			return err
		}

		for _, p := range profiles {
			shown, err := showProfile(p)
			if err != nil {
				return err
			}

			list.ServiceProfiles = append(list.ServiceProfiles, shown)
		}

		return nil
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, list)
}

const xmlType = "application/xml"

// readProfile answers with JSON, or with the criteria's own XML if the client accepts that.
func (a *API) readProfile(w http.ResponseWriter, r *http.Request) error {
	var p *subscriber.ServiceProfile

	err := a.store.View(r.Context(), func(tx *subscriber.Tx) (err error) {
		p, err = tx.Profile(r.PathValue("name"))
		return err
	})
	if err != nil {
		return err
	}

	if r.Header.Get("Accept") == xmlType {
		w.Header().Set("Content-Type", xmlType)
		_, err := io.WriteString(w, serviceProfileXML(p))

		return err
	}

	shown, err := showProfile(p)
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, shown)
}

func serviceProfileXML(p *subscriber.ServiceProfile) string {
	var text strings.Builder
	text.WriteString("<ServiceProfile>\n" + p.FilterCriteria)

	if len(p.SharedSets) > 0 {
		text.WriteString("<Extension>")
		for _, number := range p.SharedSets {
			fmt.Fprintf(&text, "<SharedIFCSetID>%d</SharedIFCSetID>", number)
		}

		text.WriteString("</Extension>\n")
	}

	text.WriteString("</ServiceProfile>\n")

	return text.String()
}

// profileBody reads a profile given as JSON or as XML.
func profileBody(r *http.Request) (ServiceProfile, error) {
	if !isXML(r) {
		return httpapi.Decode[ServiceProfile](r)
	}

	text, err := xmlBody(r)

	return ServiceProfile{XML: text}, err
}

func isXML(r *http.Request) bool { return strings.HasPrefix(r.Header.Get("Content-Type"), xmlType) }

func xmlBody(r *http.Request) (string, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return "", &httpapi.Error{Status: http.StatusBadRequest, Title: "the body cannot be read", Detail: err.Error()}
	}

	return string(text), nil
}

// criteria checks a profile's criteria in whichever form they came.
func (p *ServiceProfile) criteria() (string, error) {
	if p.XML == "" {
		return encodeCriteria("filter_criteria", p.FilterCriteria)
	}

	if len(p.FilterCriteria) > 0 {
		return "", problem("xml", "give filter_criteria or xml, not both")
	}

	text, shared, err := criteriaOf(p.XML)
	if err != nil {
		return "", err
	}

	p.SharedSets = append(p.SharedSets, shared...)

	return text, nil
}

func (a *API) putProfile(w http.ResponseWriter, r *http.Request) error {
	body, err := profileBody(r)
	if err != nil {
		return err
	}

	name := r.PathValue("name")

	switch {
	case body.Name != "" && body.Name != name:
		return problem("name", "%s is not the %s of the path", body.Name, name)
	case len(name) > maxText:
		return problem("name", "longer than %d characters", maxText)
	case body.SubscribedMediaProfile != nil && *body.SubscribedMediaProfile < 0:
		return problem("subscribed_media_profile", "%d is negative", *body.SubscribedMediaProfile)
	}

	text, err := body.criteria()
	if err != nil {
		return err
	}

	var (
		shown  ServiceProfile
		status = http.StatusOK
	)

	err = a.change(r.Context(), func(tx *subscriber.Tx) error {
		p, err := tx.Profile(name)

		switch {
		case errors.Is(err, subscriber.ErrNotFound):
			p, status = &subscriber.ServiceProfile{Name: name}, http.StatusCreated
		case err != nil:
			return err
		}

		p.FilterCriteria, p.SharedSets, p.SubscribedMediaProfile = text, body.SharedSets, body.SubscribedMediaProfile

		if err := saveProfile(tx, p); err != nil {
			return err
		}

		shown, err = showProfile(p)

		return err
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, status, shown)
}

// saveProfile saves a profile and queues PPRs to the S-CSCFs of its users.
func saveProfile(tx *subscriber.Tx, p *subscriber.ServiceProfile) error {
	shared, err := tx.SharedSets(p.SharedSets)
	if err != nil {
		return err
	}

	if p.UnregisteredServices, err = unregisteredServices(p.FilterCriteria); err != nil {
		return err
	}

	for i, number := range p.SharedSets {
		set := shared[number]

		switch {
		case set == nil: // it could not be sent to an S-CSCF without support of shared sets
			return problem("shared_sets", "there is no shared iFC set %d", number)
		case slices.Contains(p.SharedSets[:i], number):
			return problem("shared_sets", "%d stands twice", number)
		}

		p.UnregisteredServices = p.UnregisteredServices || set.UnregisteredServices
	}

	if err := tx.SaveProfile(p); err != nil {
		return err
	}

	return tx.QueueProfile(p)
}

func (a *API) deleteProfile(w http.ResponseWriter, r *http.Request) error {
	err := a.change(r.Context(), func(tx *subscriber.Tx) error {
		p, err := tx.Profile(r.PathValue("name"))
		if err != nil {
			return err
		}

		return tx.DeleteProfile(p)
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusNoContent, nil)
}

// SharedSet is a shared iFC set.
type SharedSet struct {
	Number         int                          `json:"number"`
	FilterCriteria []ifc.InitialFilterCriterion `json:"filter_criteria"`
	XML            string                       `json:"xml,omitempty"` // instead of filter_criteria
}

// SharedSetList is all shared iFC sets.
type SharedSetList struct {
	SharedFilterCriteria []SharedSet `json:"shared_filter_criteria"`
}

func (a *API) listShared(w http.ResponseWriter, r *http.Request) error {
	list, err := a.shared(r, 0)
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, SharedSetList{list})
}

// shared lists the sets, or the one with the number.
func (a *API) shared(r *http.Request, number int) ([]SharedSet, error) {
	list := []SharedSet{}

	err := a.store.View(r.Context(), func(tx *subscriber.Tx) error {
		sets, err := tx.AllSharedSets()
		if err != nil {
			return err
		}

		for _, set := range sets {
			criteria, err := decodeCriteria(set.FilterCriteria)
			if err != nil {
				return fmt.Errorf("shared iFC set %d: %w", set.Number, err)
			}

			if number == 0 || number == set.Number {
				list = append(list, SharedSet{Number: set.Number, FilterCriteria: criteria})
			}
		}

		return nil
	})

	return list, err
}

func sharedNumber(r *http.Request) (int, error) {
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil || number < 1 {
		return 0, problem("number", "%q is no positive number", r.PathValue("number"))
	}

	return number, nil
}

func (a *API) readShared(w http.ResponseWriter, r *http.Request) error {
	number, err := sharedNumber(r)
	if err != nil {
		return err
	}

	list, err := a.shared(r, number)
	if err != nil {
		return err
	}

	if len(list) == 0 {
		return fmt.Errorf("shared iFC set %d: %w", number, subscriber.ErrNotFound)
	}

	return httpapi.Write(w, http.StatusOK, list[0])
}

func (a *API) putShared(w http.ResponseWriter, r *http.Request) error {
	number, err := sharedNumber(r)
	if err != nil {
		return err
	}

	body, err := sharedBody(r)
	if err != nil {
		return err
	}

	if body.Number != 0 && body.Number != number {
		return problem("number", "%d is not the %d of the path", body.Number, number)
	}

	profile := ServiceProfile{FilterCriteria: body.FilterCriteria, XML: body.XML}

	text, err := profile.criteria()
	if err != nil {
		return err
	}

	if len(profile.SharedSets) > 0 {
		return problem("xml", "a shared set holds no other sets")
	}

	set := &subscriber.SharedFilterCriteria{Number: number, FilterCriteria: text}
	if set.UnregisteredServices, err = unregisteredServices(text); err != nil {
		return err
	}

	err = a.change(r.Context(), func(tx *subscriber.Tx) error {
		if err := tx.SaveSharedSet(set); err != nil {
			return err
		}

		profiles, err := tx.ProfilesSharing(number)
		if err != nil {
			return err
		}

		for _, p := range profiles {
			if err := saveProfile(tx, p); err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusNoContent, nil)
}

// sharedBody reads a shared set given as JSON or as XML.
func sharedBody(r *http.Request) (SharedSet, error) {
	if !isXML(r) {
		return httpapi.Decode[SharedSet](r)
	}

	text, err := xmlBody(r)

	return SharedSet{XML: text}, err
}

func (a *API) deleteShared(w http.ResponseWriter, r *http.Request) error {
	number, err := sharedNumber(r)
	if err != nil {
		return err
	}

	if err := a.change(r.Context(), func(tx *subscriber.Tx) error { return tx.DeleteSharedSet(number) }); err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusNoContent, nil)
}

// Push is a request to an S-CSCF or MME, pending or finished.
type Push struct {
	ID               uint64                 `json:"id"`
	Command          subscriber.PushCommand `json:"command"`
	ServerHost       string                 `json:"diameter_host"`
	PrivateIdentity  string                 `json:"private_identity"`
	IMSI             string                 `json:"imsi,omitempty"` // of a request to an MME
	PublicIdentities []string               `json:"public_identities,omitempty"`
	State            subscriber.PushState   `json:"state"`
	Attempts         int                    `json:"attempts"`
	Result           string                 `json:"result,omitempty"`
	Created          time.Time              `json:"created"`
	Next             *time.Time             `json:"next,omitempty"`
	Finished         *time.Time             `json:"finished,omitempty"`
}

// PushList is the requests, the newest first.
type PushList struct {
	Pushes []Push `json:"pushes"`
}

func (a *API) listPushes(w http.ResponseWriter, r *http.Request) error {
	limit := int(limit.NumberOf(r))

	pushes, err := a.store.Pushes(r.Context(), before.NumberOf(r), limit+1)
	if err != nil {
		return err
	}

	pushes = httpapi.Page(w, r, pushes, limit, "before", func(p *subscriber.Push) string { return strconv.FormatUint(p.ID, 10) })

	list := PushList{Pushes: []Push{}}

	for _, p := range pushes {
		shown := Push{
			ID: p.ID, Command: p.Command, ServerHost: p.ServerHost, PrivateIdentity: p.PrivateIdentity, IMSI: p.IMSI,
			PublicIdentities: p.PublicIdentities,
			State:            p.State, Attempts: p.Attempts, Result: p.Result, Created: p.Created,
		}
		if p.State == subscriber.PushPending {
			shown.Next = &p.Next
		} else {
			shown.Finished = &p.Finished
		}

		list.Pushes = append(list.Pushes, shown)
	}

	return httpapi.Write(w, http.StatusOK, list)
}
