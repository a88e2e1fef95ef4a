package provisioning

import (
	"context"
	"errors"
	"net/http"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/records"
)

// createSubscribers creates several subscribers in one transaction: all of them, or none and the first error.
func (a *API) createSubscribers(w http.ResponseWriter, r *http.Request) error {
	bodies, err := httpapi.Decode[[]NewSubscriber](r)
	if err != nil {
		return err
	}

	if len(bodies) == 0 || len(bodies) > records.AtOnce {
		return problem("items", "there must be 1 to %d, not %d", records.AtOnce, len(bodies))
	}

	answer := records.Added{Added: len(bodies)}
	documents := make([]Subscriber, len(bodies))

	for i := range bodies {
		if documents[i], err = bodies[i].document(a.domain); err != nil {
			return records.Refused(i, err)
		}

		for _, text := range bodies[i].warnings(a.domain) {
			answer.Warnings = append(answer.Warnings, records.Warning{Item: i, Warning: text})
		}
	}

	err = a.change(r.Context(), func(tx *subscriber.Tx) error { return createAll(tx, documents, tx.Create) })
	if errors.Is(err, subscriber.ErrTaken) {
		err = a.whichIsTaken(r.Context(), documents)
	}

	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusCreated, answer)
}

// createAll makes the subscriptions and writes them with save.
func createAll(tx *subscriber.Tx, documents []Subscriber, save func([]*subscriber.Subscription) error) error {
	made := make([]*subscriber.Subscription, len(documents))
	for i, document := range documents {
		made[i] = new(subscriber.Subscription)
		if err := apply(tx, made[i], document); err != nil {
			return records.Refused(i, err)
		}
	}

	return save(made)
}

// whichIsTaken writes one by one what could not be written together, to find out which one is taken; nothing is committed.
func (a *API) whichIsTaken(ctx context.Context, documents []Subscriber) error {
	at := 0

	err := a.store.Update(ctx, func(tx *subscriber.Tx) error {
		return createAll(tx, documents, func(all []*subscriber.Subscription) error {
			for i, s := range all {
				at = i
				if err := tx.Save(s); err != nil {
					return err
				}
			}

			return errNone
		})
	})
	if errors.Is(err, subscriber.ErrTaken) {
		return records.Refused(at, taken(err))
	}

	return err
}

// errNone rolls back the search for the one that is taken, when none is taken any more.
var errNone = &httpapi.Error{Status: http.StatusConflict, Title: "something of it was taken a moment ago", Detail: "try again"}
