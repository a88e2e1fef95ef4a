package push

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/shdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
)

// errNothingNew means that the application server knows already what there is.
var errNothingNew = errors.New("nothing has changed")

// pushNotification sends a PNR (Sh-Notif, TS 29.328 §6.1.4) with the data as it is now, or with what says that it is gone.
func (s *Sender) pushNotification(ctx context.Context, push *subscriber.Push) (diameter.Result, error) {
	req := &sh.PNR{RequestHeader: to(push), UserName: push.PrivateIdentity, UserData: push.Document}

	if req.User.PublicIdentity = push.PublicIdentities[0]; req.User.PublicIdentity == "" {
		req.User.MSISDN = s6a.TBCD(push.MSISDN)
	}

	var watch *subscriber.Watch

	if push.Watch != 0 {
		err := s.store.View(ctx, func(tx *subscriber.Tx) (err error) {
			watch, req.UserData, err = news(tx, push)
			return err
		})
		if err != nil {
			return diameter.Result{}, err
		}
	}

	answer, err := diameter.Call[sh.PNA](ctx, s.node, req)
	if err != nil {
		return diameter.Result{}, fmt.Errorf("PNR to %s: %w", push.ServerHost, err)
	}

	switch {
	case answer.Result == sh.ErrorUserUnknown:
		err = s.store.EndWatches(ctx, push.ServerHost, push.PublicIdentities[0], push.MSISDN)
	case answer.Result == sh.ErrorNoSubscriptionToData && watch != nil:
		watch.OneTime = true // it ends
		err = s.store.ToldWatch(ctx, watch)
	case answer.Result.Successful() && watch != nil:
		err = s.store.ToldWatch(ctx, watch)
	}

	if err != nil { // the application server has it; it may be told again
		s.log.Error("what an application server knows cannot be recorded", "cause", err)
	}

	return answer.Result, nil
}

// news returns the document for a watch, if it says anything new. A state of authentication is none: it passes within seconds (§6.1.4.1).
func news(tx *subscriber.Tx, push *subscriber.Push) (*subscriber.Watch, []byte, error) {
	watch, err := tx.WatchNumbered(push.Watch)

	switch {
	case err != nil:
		return nil, nil, err
	case watch == nil || watch.Over(time.Now()):
		return nil, nil, errOutdated
	}

	q, err := queryOf(tx, watch)
	if err != nil {
		return nil, nil, err
	}

	if q.Reference == sh.ReferenceIMSUserState && shdata.UserState(q.Set) == sh.StateAuthenticationPending {
		return nil, nil, errNothingNew
	}

	data, there, err := shdata.Of(tx, q)
	if err != nil {
		return nil, nil, err
	}

	if q.Reference == sh.ReferenceRepositoryData && !there {
		return nil, nil, errOutdated
	}

	document, err := data.Marshal()
	if err != nil {
		return nil, nil, err
	}

	digest := shdata.Digest(document)
	if digest == watch.Seen {
		return nil, nil, errNothingNew
	}

	watch.Seen = digest

	return watch, document, nil
}

// queryOf returns what a watch is about; errOutdated if its user is gone.
func queryOf(tx *subscriber.Tx, w *subscriber.Watch) (q shdata.Query, err error) {
	q = shdata.Query{
		Asked: w.Identity, MSISDN: w.MSISDN, Reference: sh.DataReference(w.Reference), Service: w.Service, Server: w.Server,
		IdentitySet: sh.IdentitySet(w.IdentitySet),
	}

	if w.Identity != "" {
		who, err := tx.Identities("", w.Identity)
		if err != nil {
			return q, err
		}

		q.Subscription, q.Public, q.Set = who.Subscription, who.Public, who.Set
	} else if q.Subscription, _, err = tx.ByMSISDN(w.MSISDN); err != nil {
		return q, err
	}

	if q.Subscription == nil || w.Identity != "" && q.Public == nil {
		return q, errOutdated
	}

	if w.PrivateIdentity != "" {
		if q.Private = q.Subscription.PrivateNamed(w.PrivateIdentity); q.Private == nil {
			return q, errOutdated
		}
	}

	return q, nil
}
