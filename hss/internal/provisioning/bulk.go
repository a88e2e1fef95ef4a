package provisioning

import (
	"context"
	"errors"
	"net/http"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/records"
)

// numbered is a subscriber of a request, and its place there.
type numbered struct {
	item int
	Subscriber
}

// createSubscribers creates several subscribers in one transaction: all of them, or none and the first error. On request, those that are
// there already are passed over.
func (a *API) createSubscribers(w http.ResponseWriter, r *http.Request) error {
	bodies, err := httpapi.Decode[[]NewSubscriber](r)
	if err != nil {
		return err
	}

	if len(bodies) == 0 || len(bodies) > records.AtOnce {
		return problem("items", "there must be 1 to %d, not %d", records.AtOnce, len(bodies))
	}

	answer := records.Added{}
	documents := make([]numbered, len(bodies))

	for i := range bodies {
		documents[i].item = i
		if documents[i].Subscriber, err = bodies[i].document(a.domain); err != nil {
			return records.Refused(i, err)
		}

		for _, text := range bodies[i].warnings(a.domain) {
			answer.Warnings = append(answer.Warnings, records.Warning{Item: i, Warning: text})
		}
	}

	err = a.change(r.Context(), func(tx *subscriber.Tx) (err error) {
		if existing.Of(r) == skip {
			if documents, err = missing(tx, documents); err != nil {
				return err
			}
		}

		return createAll(tx, documents, tx.Create)
	})
	if errors.Is(err, subscriber.ErrTaken) {
		err = a.whichIsTaken(r.Context(), documents)
	}

	if err != nil {
		return err
	}

	answer.Added, answer.Skipped = len(documents), len(bodies)-len(documents)

	return httpapi.Write(w, http.StatusCreated, answer)
}

// missing returns the subscribers of which no private identity and no IMSI is there yet, nor in a subscriber before it.
func missing(tx *subscriber.Tx, documents []numbered) (left []numbered, err error) {
	var names []string

	for _, d := range documents {
		for _, p := range d.PrivateIdentities {
			names = append(names, p.Identity, p.IMSI)
		}
	}

	there, err := tx.Known(names)
	if err != nil {
		return nil, err
	}

	for _, d := range documents {
		known := false

		for _, p := range d.PrivateIdentities {
			known = known || there[p.Identity] || there[p.IMSI]
		}

		if known {
			continue
		}

		left = append(left, d)

		for _, p := range d.PrivateIdentities {
			there[p.Identity] = true
			if p.IMSI != "" {
				there[p.IMSI] = true
			}
		}
	}

	return left, nil
}

// createAll makes the subscriptions and writes them with save.
func createAll(tx *subscriber.Tx, documents []numbered, save func([]*subscriber.Subscription) error) error {
	made := make([]*subscriber.Subscription, len(documents))
	for i, document := range documents {
		made[i] = new(subscriber.Subscription)
		if err := apply(tx, made[i], document.Subscriber); err != nil {
			return records.Refused(document.item, err)
		}
	}

	return save(made)
}

// whichIsTaken writes one by one what could not be written together, to find out which one is taken; nothing is committed.
func (a *API) whichIsTaken(ctx context.Context, documents []numbered) error {
	at := 0

	err := a.store.Update(ctx, func(tx *subscriber.Tx) error {
		return createAll(tx, documents, func(all []*subscriber.Subscription) error {
			for i, s := range all {
				at = documents[i].item
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
