package provisioning

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/administration"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// SubscriberList is one page of subscribers, in the order of their names.
type SubscriberList struct {
	Subscribers []Subscriber `json:"subscribers"`
	Next        string       `json:"next,omitempty"` // value of after for the next page
}

func (a *API) listSubscribers(w http.ResponseWriter, r *http.Request) error {
	limit := int(limit.NumberOf(r))
	filter := subscriber.Filter{
		IMSI: byIMSI.Of(r), MSISDN: strings.TrimPrefix(byMSISDN.Of(r), "+"), PrivateIdentity: byPrivate.Of(r),
		After: after.Of(r), Limit: limit + 1,
	}

	if public := byPublic.Of(r); public != "" {
		filter.PublicIdentities = append(ims.ParseWritten(public, a.domain).Public, public)
	}

	list := SubscriberList{Subscribers: []Subscriber{}}

	err := a.store.View(r.Context(), func(tx *subscriber.Tx) error {
		found, err := tx.List(filter)
		if err != nil {
			return err
		}

		for i, s := range found {
			if i == limit {
				list.Next = found[i-1].Name
				httpapi.Next(w, r, "after", list.Next)

				break
			}

			if err := tx.Profiles(s); err != nil {
				return err
			}

			list.Subscribers = append(list.Subscribers, show(s))
		}

		return nil
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, list)
}

func (a *API) createSubscriber(w http.ResponseWriter, r *http.Request) error {
	body, err := httpapi.Decode[NewSubscriber](r)
	if err != nil {
		return err
	}

	document, err := body.document(a.domain)
	if err != nil {
		return err
	}

	s := new(subscriber.Subscription)

	err = a.change(r.Context(), func(tx *subscriber.Tx) error {
		if err := apply(tx, s, document); err != nil {
			return err
		}

		return tx.Save(s)
	})
	if err != nil {
		return err
	}

	w.Header().Set("Location", "/subscribers/"+url.PathEscape(s.Name))

	made := show(s)
	made.Warnings = body.warnings(a.domain)

	return httpapi.Write(w, http.StatusCreated, made)
}

// bare loads the subscriber that the path names, by its name or any identity.
func (a *API) bare(tx *subscriber.Tx, r *http.Request) (*subscriber.Subscription, error) {
	return tx.Written(r.PathValue("name"), a.domain)
}

// named loads the same subscriber with its profiles.
func (a *API) named(tx *subscriber.Tx, r *http.Request) (*subscriber.Subscription, error) {
	s, err := a.bare(tx, r)
	if err != nil {
		return nil, err
	}

	return s, tx.Profiles(s)
}

func (a *API) readSubscriber(w http.ResponseWriter, r *http.Request) error {
	var document Subscriber

	err := a.store.View(r.Context(), func(tx *subscriber.Tx) error {
		s, err := a.named(tx, r)
		if err != nil {
			return err
		}

		document = show(s)

		return nil
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, document)
}

func (a *API) replaceSubscriber(w http.ResponseWriter, r *http.Request) error {
	body, err := httpapi.Decode[Subscriber](r)
	if err != nil {
		return err
	}

	var document Subscriber

	err = a.change(r.Context(), func(tx *subscriber.Tx) error {
		s, err := a.named(tx, r)
		if err != nil {
			return err
		}

		if body.Name == "" {
			body.Name = s.Name
		}

		document, err = replace(tx, s, body)

		return err
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, document)
}

// replace changes the subscription to what the document says, and informs the S-CSCF: RTR for what was deleted, PPR for what was changed.
func replace(tx *subscriber.Tx, s *subscriber.Subscription, document Subscriber) (Subscriber, error) {
	change := administration.Before(s)

	if err := administration.Withdraw(tx, s, document.sets(), document.privates()); err != nil {
		return Subscriber{}, err
	}

	if err := apply(tx, s, document); err != nil {
		return Subscriber{}, err
	}

	if err := tx.Save(s); err != nil {
		return Subscriber{}, err
	}

	return show(s), change.Made(tx, s)
}

func (s Subscriber) sets() (numbers []int) {
	for _, set := range s.RegistrationSets {
		numbers = append(numbers, set.Number)
	}

	return numbers
}

func (s Subscriber) privates() (identities []string) {
	for _, p := range s.PrivateIdentities {
		identities = append(identities, p.Identity)
	}

	return identities
}

func (a *API) deleteSubscriber(w http.ResponseWriter, r *http.Request) error {
	err := a.change(r.Context(), func(tx *subscriber.Tx) error {
		s, err := a.bare(tx, r)
		if err != nil {
			return err
		}

		if _, err := administration.TerminateRegistration(tx, s, cx.PermanentTermination, "the subscription has ended"); err != nil {
			return err
		}

		if err := administration.WithdrawSIMs(tx, s); err != nil {
			return err
		}

		return tx.Delete(s)
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusNoContent, nil)
}

func (a *API) readRegistration(w http.ResponseWriter, r *http.Request) error {
	var state *RegistrationState

	err := a.store.View(r.Context(), func(tx *subscriber.Tx) error {
		s, err := a.bare(tx, r)
		if err == nil {
			state = registration(s)
		}

		return err
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, state)
}

// reasons are those for which an operator ends a registration (TS 29.229 §6.3.17).
var reasons = map[string]cx.ReasonCode{
	"": cx.PermanentTermination, "permanent_termination": cx.PermanentTermination,
	"server_change": cx.ServerChange, "remove_s-cscf": cx.RemoveSCSCF,
}

func (a *API) endRegistration(w http.ResponseWriter, r *http.Request) error {
	var told bool

	err := a.change(r.Context(), func(tx *subscriber.Tx) error {
		s, err := a.bare(tx, r)
		if err != nil {
			return err
		}

		told, err = administration.TerminateRegistration(tx, s, reasons[reason.Of(r)], info.Of(r))

		return err
	})
	if err != nil {
		return err
	}

	if !told {
		return &httpapi.Error{Status: http.StatusConflict, Title: "not registered", Detail: "no S-CSCF serves " + r.PathValue("name")}
	}

	return httpapi.Write(w, http.StatusAccepted, nil)
}

func noIdentity(identity, name string) error {
	return fmt.Errorf("identity %s of subscriber %s: %w", identity, name, subscriber.ErrNotFound)
}
