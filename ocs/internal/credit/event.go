package credit

import (
	"errors"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
)

// event serves a request outside any session (RFC 8506 §6): a debit at once, a refund, a look at the balance, a price.
func (s *Server) event(tx ledger.Tx, q *ro.CCR) (*ro.CCA, error) {
	if q.RequestedAction == nil {
		return nil, &diameter.Error{Result: ro.MissingAVP, Message: "Requested-Action", Failed: []*diam.AVP{
			diam.NewAVP(avp.RequestedAction, avp.Mbit, 0, datatype.Enumerated(0)),
		}}
	}

	account, tariff, no, err := s.payer(tx, q)
	if no != nil || err != nil {
		return no, err
	}

	rate, err := tariff.Find(called(information(q)))
	if errors.Is(err, rating.ErrNoRate) {
		return refused(ro.RatingFailed, err.Error()), nil
	}

	price := rate.EventPrice * int64(units(q))
	answer := &ro.CCA{CostInformation: &ro.CostInformation{Value: s.money(price), Currency: s.config.Currency}}
	answer.Result = ro.Success

	switch *q.RequestedAction {
	case ro.PriceEnquiry:
	case ro.CheckBalance:
		enough := uint32(0)
		if account.Balance < price {
			enough = 1 // NO_CREDIT
		}

		answer.CheckBalanceResult = &enough
	case ro.RefundAccount:
		return answer, s.debit(tx, q, account, -price)
	default:
		if account.Balance < price {
			return refused(ro.CreditLimitReached, "the account has not enough credit"), nil
		}

		return answer, s.debit(tx, q, account, price)
	}

	return answer, nil
}

// units is how many events a request is for: one, unless it says otherwise.
func units(q *ro.CCR) uint64 {
	const most = 1 << 20

	n := uint64(1)
	if u := q.RequestedServiceUnit; u != nil && u.ServiceSpecificUnits != nil {
		n = *u.ServiceSpecificUnits
	}

	for _, service := range q.MultipleServicesCreditControl {
		if u := service.Requested; u != nil && u.ServiceSpecificUnits != nil {
			n = *u.ServiceSpecificUnits
		}
	}

	return min(n, most)
}

// debit takes the price of an event, or gives it back when it is negative, and writes the record.
func (s *Server) debit(tx ledger.Tx, q *ro.CCR, account *ledger.Account, price int64) error {
	revenue, err := tx.Account("network", ledger.Revenue)
	if err != nil {
		return err
	}

	kind := "debit"
	if price < 0 {
		kind = "refund"
		err = tx.Move(kind, q.SessionID, "event", revenue, account, -price)
	} else {
		err = tx.Move(kind, q.SessionID, "event", account, revenue, price)
	}

	if err != nil {
		return err
	}

	s.moved.WithLabelValues(kind).Add(float64(max(price, -price)))

	info, now := information(q), time.Now()

	return tx.Create(&CDR{
		Session: q.SessionID, Account: account.Name, Kind: "message", Calling: first(info.CallingPartyAddresses), Called: info.CalledPartyAddress,
		ICID: info.IMSChargingIdentifier, CallID: info.UserSessionID, Started: now, Answered: now, Ended: now, Amount: price, Cause: kind,
	}).Error
}
