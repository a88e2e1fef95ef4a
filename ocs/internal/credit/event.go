package credit

import (
	"encoding/hex"
	"errors"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// chargeEvent serves a request outside any session (RFC 8506 §6): a direct debit, a refund, a balance check, a price enquiry.
func (s *Server) chargeEvent(w *exchange) error {
	if w.q.RequestedAction == nil {
		example := ro.DirectDebiting
		w.answer = refused(ro.MissingAVP, "Requested-Action", &FailedAVP{RequestedAction: &example})

		return nil
	}

	tariff, err := s.payer(w)
	if err != nil || w.answer != nil {
		return err
	}

	if *w.q.RequestedAction == ro.RefundAccount {
		return s.refund(w, tariff)
	}

	price, no := s.price(w, tariff, w.at)
	if no != nil {
		if no.result == ro.RatingFailed {
			w.unrated++
		}

		w.answer = refused(no.result, no.text, no.failed)

		return nil
	}

	w.answer = accepted()
	account := w.purse.Account

	if *w.q.RequestedAction != ro.CheckBalance {
		w.answer.CostInformation = s.cost(price)
	}

	switch *w.q.RequestedAction {
	case ro.PriceEnquiry:
		return nil
	case ro.CheckBalance:
		enough := uint32(0)
		if account.Balance < price {
			enough = 1 // NO_CREDIT
		}

		w.answer.CheckBalanceResult = &enough

		return nil
	}

	if account.Balance < price {
		w.answer = refused(ro.CreditLimitReached, "the account has not enough credit", nil)
		return nil
	}

	w.posting.Move("debit", account, w.revenue, price)
	s.confirm(w)
	s.tellBalance(w, tariff)

	w.save(s.eventRecord(w, tariff, price, debited))

	return nil
}

// price returns the cost of all that the request asks for: by default one event. Each mscc has then the one unit that it is charged in.
func (s *Server) price(w *exchange, tariff *rating.Plan, at time.Time) (int64, *refusal) {
	info := information(w.q)
	sum := int64(0)

	for i := range w.msccs {
		mscc := &w.msccs[i]

		meter, no := s.meter(tariff, mscc.candidates(rating.Events), s.service(w.q, mscc), at, info.CalledPartyAddress)
		if no != nil {
			return 0, no
		}

		unit := meter.Unit()

		amount := mscc.amount(unit)
		if amount == 0 && unit != rating.Money {
			amount, _ = s.usual(unit, meter.Terms(at))
		}

		mscc.wanted = []want{{unit, amount}}
		mscc.charge = charge(meter, meter.Add(nil, at, amount))
		sum = min(sum+min(mscc.charge.Total, rating.Unpayable), rating.Unpayable)
	}

	return sum, nil
}

var errMoney = errors.New("the amount of money is no whole number of minor units of the account's currency")

// minorUnits returns CC-Money in the unit of the ledger (RFC 8506 §8.22).
func (s *Server) minorUnits(m *ro.Money) (int64, error) {
	amount, exponent := m.Value.Digits, s.config.Digits
	if m.Value.Exponent != nil {
		exponent += *m.Value.Exponent
	}

	if m.Currency != nil && *m.Currency != s.config.Currency || amount < 0 || amount > rating.MaxPrice || exponent > 18 || exponent < -18 {
		return 0, errMoney
	}

	for ; exponent > 0 && amount <= rating.MaxPrice; exponent-- {
		amount *= 10
	}

	for ; exponent < 0; exponent++ {
		if amount%10 != 0 {
			return 0, errMoney
		}

		amount /= 10
	}

	if amount > rating.MaxPrice {
		return 0, errMoney
	}

	return amount, nil
}

// confirm adds the debited units to the answer, in the form of the request (RFC 8506 §6.3).
func (s *Server) confirm(w *exchange) {
	for i := range w.msccs {
		mscc := &w.msccs[i]
		units := s.granted(mscc.wanted[0].unit, mscc.wanted[0].amount)

		if len(w.q.MultipleServicesCreditControl) == 0 {
			w.answer.GrantedServiceUnit = units
			return
		}

		code := ro.Success.Code
		w.answer.MultipleServicesCreditControl = append(w.answer.MultipleServicesCreditControl, ro.MultipleServicesCreditControl{
			Granted: units, RatingGroup: mscc.group, ServiceIdentifiers: mscc.identifiers, ResultCode: &code,
		})
	}
}

func (s *Server) eventRecord(w *exchange, tariff *rating.Plan, amount int64, cause string) *CDR {
	info := information(w.q)
	r := &CDR{
		Session:        w.q.SessionID,
		Account:        w.purse.Account.Name,
		Kind:           "message",
		Terminating:    terminating(info),
		Calling:        first(info.CallingPartyAddresses),
		Called:         info.CalledPartyAddress,
		ICID:           info.IMSChargingIdentifier,
		CallID:         info.UserSessionID,
		Started:        w.at,
		Answered:       &w.at,
		Ended:          w.at,
		Amount:         amount,
		Tariff:         tariff.Name,
		TariffVersion:  tariff.Version,
		ServiceContext: w.q.ServiceContextID,
		Cause:          cause,
		CauseCode:      info.CauseCode,
		Q850:           q850(cause, nil),
		SIPStatus:      sipStatus(info.CauseCode),
		ClientHost:     w.q.OriginHost,
		ClientRealm:    w.q.OriginRealm,
		Correlation:    hex.EncodeToString(w.q.CorrelationID),
	}

	for i := range w.msccs {
		if len(w.msccs[i].wanted) == 0 {
			continue
		}

		r.Charges = append(r.Charges, w.msccs[i].charge)
		charged := w.msccs[i].wanted[0]
		amount := min(charged.amount, rating.MaxUnits)

		switch charged.unit {
		case rating.Seconds:
			r.Billed = min(add(r.Billed, amount), rating.MaxUnits)
		case rating.Octets:
			r.Octets = min(add(r.Octets, amount), rating.MaxUnits)
		case rating.Events:
			r.Events = min(add(r.Events, amount), rating.MaxUnits)
		}
	}

	return r
}
