package appserver

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/shdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
)

// subscribeNotifications answers an SNR (Sh-Subs-Notif, TS 29.328 §6.1.3.1). Numbers are the steps there.
func (s *Server) subscribeNotifications(ctx context.Context, req *sh.SNR) (*sh.SNA, error) {
	answer := new(sh.SNA)

	err := func() error {
		reference, err := only(req.References)
		if err != nil {
			return err
		}

		if !s.permission(req.OriginHost).notify[reference] { // 1
			return refused(sh.ErrorUserDataCannotBeNotified, "%s may not be told of Data-Reference %d", req.OriginHost, reference)
		}

		return s.store.Update(ctx, func(tx *subscriber.Tx) error {
			q, err := find(tx, named(req.User, req.WildcardedPSI, req.WildcardedIMPU), req.UserName, reference) // 2, 2a, 3
			if err != nil {
				return err
			}

			if err := keys(&q, req.Services, req.ServerName, req.IdentitySets, req.DSAITags); err != nil {
				return err
			}

			if reference == sh.ReferenceDSAI { // 3a
				return noDSAI(q.Asked)
			}

			return s.subscribe(tx, q, req, answer)
		})
	}()
	if err != nil {
		return nil, fmt.Errorf("SNR of %s: %w", req.OriginHost, err)
	}

	return answer, nil
}

func (s *Server) subscribe(tx *subscriber.Tx, q shdata.Query, req *sh.SNR, answer *sh.SNA) error {
	data, there, err := shdata.Of(tx, q)

	switch {
	case err != nil:
		return err
	case q.Reference == sh.ReferenceRepositoryData && !there: // 5
		return refused(sh.ErrorSubsDataAbsent, "there is no data of %.40q", q.Service)
	}

	document, err := data.Marshal()
	if err != nil {
		return err
	}

	watch := &subscriber.Watch{
		SubscriptionID: q.Subscription.ID, Host: s.permission(req.OriginHost).host, Realm: strings.ToLower(req.OriginRealm),
		Identity: q.Asked, MSISDN: q.MSISDN,
		PrivateIdentity: req.UserName, Reference: uint32(q.Reference), Service: q.Service, Server: q.Server, IdentitySet: uint32(q.IdentitySet),
		OneTime: req.OneTime != nil, Expires: s.expiry(req.Expiry, time.Now()), Seen: shdata.Digest(document),
	}
	if q.Reference == sh.ReferenceRepositoryData {
		watch.Owner = q.Set.Owner(q.Public)
	}

	same, err := tx.SameWatch(watch)
	if err != nil {
		return err
	}

	if same != nil {
		watch.ID = same.ID
	}

	switch over := watch.Over(time.Now()); {
	case (req.Type == sh.Unsubscribe || over) && same != nil:
		err = tx.DeleteWatch(same)
	case req.Type == sh.Unsubscribe || over: // 6: also if there was none
	default:
		err = s.keep(tx, watch)
	}

	if err != nil {
		return err
	}

	if req.Type == sh.Subscribe && !watch.Expires.IsZero() { // 4
		answer.Expiry = watch.Expires
	}

	if req.SendData == sh.DataRequested { // 10
		answer.UserData = document
	}

	return nil
}

// keep stores a watch, unless the application server has too many.
func (s *Server) keep(tx *subscriber.Tx, watch *subscriber.Watch) error {
	if watch.ID == 0 {
		count, err := tx.CountWatches(watch.Host)
		if err != nil {
			return err
		}

		if int(count) >= s.policy.MaxSubscriptions {
			return refused(sh.UnableToComply, "%s has %d subscriptions, which is sh.max_subscriptions", watch.Host, count)
		}
	}

	return tx.SaveWatch(watch)
}

// expiry returns when a subscription ends; zero: never.
func (s *Server) expiry(wanted, now time.Time) time.Time {
	longest := now.Add(s.policy.Longest).UTC().Truncate(time.Second)

	if s.policy.Longest > 0 && (wanted.IsZero() || wanted.After(longest)) {
		return longest
	}

	if wanted.IsZero() {
		return wanted
	}

	return wanted.UTC()
}
