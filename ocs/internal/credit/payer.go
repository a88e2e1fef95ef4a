package credit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// payer finds the account that pays, and its price list. If it finds none, the answer is set.
func (s *Server) payer(w *exchange) (*rating.Plan, error) {
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
	case w.purse.Account.Blocked && !w.givesBack():
		w.answer = refused(ro.EndUserServiceDenied, "the account is blocked", nil)
		return nil, nil
	}

	name := w.purse.Account.Tariff
	if name == "" {
		name = s.config.Tariff
	}

	tariff, err := ledger.Memo(w.tx, "tariff "+name, func() (*rating.Plan, error) { return s.tariffs.current(w.tx.DB, name) })
	if errors.Is(err, gorm.ErrRecordNotFound) {
		w.unrated++
		w.answer = refused(ro.RatingFailed, "there is no tariff "+name, nil)

		return nil, nil
	}

	if err == nil && tariff.Currency != 0 && tariff.Currency != s.config.Currency {
		w.unrated++
		w.answer = refused(ro.RatingFailed, fmt.Sprintf("tariff %s is in currency %d", name, tariff.Currency), nil)

		return nil, nil
	}

	return tariff, err
}

// givesBack reports whether a request is a refund, which an account gets even while it is blocked.
func (w *exchange) givesBack() bool {
	return w.q.Type == ro.Event && w.q.RequestedAction != nil && *w.q.RequestedAction == ro.RefundAccount && w.purse.Account.Closed == nil
}

const maxIdentities = 16 // read from one request

// identities returns the identities in a request, in the form of the ledger.
func identities(q *ro.CCR) (uris []string) {
	for _, id := range subscriptions(q) {
		uris = append(uris, names(id)...)
	}

	return uris
}

// subscriptions returns Subscription-Id, Subscription-Id-Extension, and those of Service-Information.
func subscriptions(q *ro.CCR) []ro.SubscriptionID {
	all := slices.Clone(q.Subscriptions)
	for i := range q.SubscriptionExtensions {
		all = append(all, q.SubscriptionExtensions[i].ID())
	}

	if q.ServiceInformation != nil {
		all = append(all, q.ServiceInformation.SubscriptionIDs...)
	}

	return all[:min(len(all), maxIdentities)]
}

// names returns the identities of accounts that a Subscription-Id may mean, the likeliest first.
func names(id ro.SubscriptionID) []string {
	switch id.Type {
	case ro.E164:
		return []string{"tel:+" + strings.TrimPrefix(strings.TrimPrefix(id.Data, "tel:"), "+")}
	case ro.IMSI:
		return []string{"imsi:" + id.Data}
	case ro.SIPURI:
		if canonical, err := ims.CanonicalIdentity(id.Data); err == nil {
			return []string{canonical}
		}

		return nil
	case ro.NAI:
		return namesOfNAI(id.Data)
	default:
		return append([]string{id.Data}, namesOfNAI(id.Data)...)
	}
}

// namesOfNAI returns those that a network access identifier may mean (RFC 7542): itself, the SIP URI of the same form, and the IMSI in the
// NAIs of TS 23.003 (§13.3 <IMSI>@ims.…, §19.3.2 0<IMSI>@nai.epc.…).
func namesOfNAI(nai string) []string {
	user, realm, found := strings.Cut(nai, "@")
	if !found || user == "" || realm == "" {
		return nil
	}

	realm = strings.ToLower(realm)
	uris := []string{"nai:" + user + "@" + realm}

	if canonical, err := ims.CanonicalIdentity("sip:" + user + "@" + realm); err == nil {
		uris = append(uris, canonical)
	}

	if strings.HasSuffix(realm, ".3gppnetwork.org") && strings.Trim(user, "0123456789") == "" {
		const imsi, root = 15, 1 // digits

		switch len(user) {
		case imsi:
			uris = append(uris, "imsi:"+user)
		case root + imsi:
			uris = append(uris, "imsi:"+user[root:])
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
