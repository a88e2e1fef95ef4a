package credit

import (
	"errors"
	"strings"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// payer finds whose money it is, and by which price list. What it cannot find is the answer.
func (s *Server) payer(w *work) (*rating.Tariff, error) {
	uris := identities(w.q)
	if len(uris) == 0 {
		w.answer = refused(ro.MissingAVP, "nobody is named who pays", &FailedAVP{Subscription: &ro.SubscriptionID{}})
		return nil, nil
	}

	var err error

	w.purse, err = w.tx.Payer(uris)

	switch {
	case errors.Is(err, ledger.ErrUnknown):
		w.answer = refused(ro.UserUnknown, err.Error(), nil)
		return nil, nil
	case err != nil:
		return nil, err
	case w.purse.Account.Blocked:
		w.answer = refused(ro.EndUserServiceDenied, "the account is blocked", nil)
		return nil, nil
	}

	name := w.purse.Account.Tariff
	if name == "" {
		name = s.config.Tariff
	}

	tariff, err := s.tariffs.current(w.tx.DB, name)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		w.unrated++
		w.answer = refused(ro.RatingFailed, "there is no tariff "+name, nil)

		return nil, nil
	}

	return tariff, err
}

const maxIdentities = 16 // looked at in one request

// identities are those of Subscription-Id, and of Service-Information, as the ledger names them.
func identities(q *ro.CCR) []string {
	all := q.Subscriptions
	if q.ServiceInformation != nil {
		all = append(all[:len(all):len(all)], q.ServiceInformation.SubscriptionIDs...)
	}

	var uris []string

	for _, id := range all[:min(len(all), maxIdentities)] {
		switch id.Type {
		case ro.E164:
			uris = append(uris, "tel:+"+strings.TrimPrefix(id.Data, "+"))
		case ro.IMSI:
			uris = append(uris, "imsi:"+id.Data)
		case ro.SIPURI:
			if canonical, err := ims.CanonicalIdentity(id.Data); err == nil {
				uris = append(uris, canonical)
			}
		default:
			uris = append(uris, id.Data)
		}
	}

	return uris
}

func information(q *ro.CCR) ro.IMSInformation {
	if q.ServiceInformation == nil || q.ServiceInformation.IMS == nil {
		return ro.IMSInformation{}
	}

	return *q.ServiceInformation.IMS
}

func first(all []string) string {
	if len(all) == 0 {
		return ""
	}

	return all[0]
}
