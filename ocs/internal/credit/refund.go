package credit

import (
	"encoding/hex"
	"slices"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// refund returns the cost of an event or a session (RFC 8506 §6.4) to the account that paid, up to what is not refunded yet. It is found by
// the Session-Id, or by the CC-Correlation-Id of the debit. Without units the whole rest is refunded.
func (s *Server) refund(w *exchange, tariff *rating.Plan) error {
	paid, left, err := s.paid(w)
	if err != nil {
		return err
	}

	if len(paid) == 0 {
		w.answer = refused(ro.UnknownSessionID, "nothing was debited that this would give back", nil)
		return nil
	}

	amount := left

	if slices.ContainsFunc(w.msccs, func(mscc mscc) bool { return len(mscc.wanted) > 0 }) {
		then, err := s.tariffs.version(w.tx.DB, paid[0].Tariff, paid[0].TariffVersion) // the version of the debit
		if err != nil {
			return err
		}

		var no *refusal
		if amount, no = s.price(w, then, paid[0].Started); no != nil {
			w.answer = refused(no.result, no.text, no.failed)
			return nil
		}
	}

	switch account := w.purse.Account; {
	case amount > left:
		w.answer = refused(ro.InvalidAVPValue, "less than that was debited, or is left of it", &FailedAVP{RequestedServiceUnit: w.requested()})
		return nil
	case account.Balance+w.purse.Reserved.Balance+amount >= ledger.MaxBalance:
		w.answer = refused(ro.UnableToComply, "no account holds so much", nil)
		return nil
	default:
		w.posting.Move("refund", w.revenue, account, amount)
	}

	w.answer = accepted()
	w.answer.CostInformation = s.cost(amount)
	s.tellBalance(w, tariff)

	record := s.eventRecord(w, tariff, -amount, givenBack)
	record.Refunds = paid[0].Session

	w.save(record)

	return nil
}

// paid returns the records that the request may refund, and how much of them is not refunded yet.
func (s *Server) paid(w *exchange) (paid []CDR, left int64, err error) {
	correlation := hex.EncodeToString(w.q.CorrelationID)

	if err := w.batch.write(); err != nil { // it may refund what a request of this transaction has debited
		return nil, 0, err
	}

	err = w.tx.Where(
		"account = ? AND cause <> ? AND (session = ? OR correlation = ? AND correlation <> '')",
		w.purse.Account.Name,
		givenBack,
		w.q.SessionID,
		correlation,
	).
		Order(
			"id",
		).Find(
		&paid,
	).Error
	if err != nil {
		return nil, 0, err
	}

	paid = slices.DeleteFunc(paid, func(r CDR) bool { return !s.owns(w.q, r.ClientHost, r.ClientRealm) })

	var sessions []string

	for i := range paid {
		sessions = append(sessions, paid[i].Session)
		left += paid[i].Amount
	}

	var back []CDR
	if err := w.tx.Select("amount").Where("account = ? AND refunds IN ?", w.purse.Account.Name, sessions).Find(&back).Error; err != nil {
		return nil, 0, err
	}

	for i := range back {
		left += back[i].Amount
	}

	return paid, left, nil
}

// requested returns the units of the first service that requests some.
func (w *exchange) requested() *ro.ServiceUnit {
	if w.q.RequestedServiceUnit != nil {
		return w.q.RequestedServiceUnit
	}

	for i := range w.q.MultipleServicesCreditControl {
		if units := w.q.MultipleServicesCreditControl[i].Requested; units != nil {
			return units
		}
	}

	return nil
}
