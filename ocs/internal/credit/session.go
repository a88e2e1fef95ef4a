package credit

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// initial opens a session and reserves its first quota (RFC 8506 §5.2).
func (s *Server) initial(tx ledger.Tx, q *ro.CCR) (*ro.CCA, error) {
	account, tariff, no, err := s.payer(tx, q)
	if no != nil || err != nil {
		return no, err
	}

	info := information(q)

	rate, err := tariff.Find(called(info))
	if errors.Is(err, rating.ErrNoRate) {
		return refused(ro.RatingFailed, err.Error()), nil
	}

	text, err := json.Marshal(rate)
	if err != nil {
		return nil, err
	}

	now := time.Now()
	session := &Session{
		ID: q.SessionID, Account: account.Name, Called: info.CalledPartyAddress, Calling: first(info.CallingPartyAddresses),
		ICID: info.IMSChargingIdentifier, CallID: info.UserSessionID, Rate: string(text), Number: q.Number, Started: now, rate: rate,
	}

	answer, err := s.grant(tx, q, session, account)
	if err != nil || !answer.Result.Successful() {
		return answer, err
	}

	return answer, tx.Create(session).Error
}

// update debits what was used, gives back the rest of the reservation and makes the next (§5.3).
func (s *Server) update(tx ledger.Tx, q *ro.CCR, session *Session) (*ro.CCA, error) {
	account, err := s.settle(tx, q, session)
	if err != nil {
		return nil, err
	}

	answer, err := s.grant(tx, q, session, account)
	if err != nil {
		return nil, err
	}

	session.Number = q.Number
	if !answer.Result.Successful() { // nothing is left: the session stays until its CCR Terminate
		session.Granted, session.Expires = 0, time.Now().Add(s.config.Supervision)
	}

	return answer, tx.Save(session).Error
}

// terminate debits what was used, gives back the rest and closes the session (§5.4).
func (s *Server) terminate(tx ledger.Tx, q *ro.CCR, session *Session, cause string) (*ro.CCA, error) {
	if _, err := s.settle(tx, q, session); err != nil {
		return nil, err
	}

	if err := s.close(tx, session, cause); err != nil {
		return nil, err
	}

	answer := &ro.CCA{CostInformation: &ro.CostInformation{Value: s.money(session.Charged), Currency: s.config.Currency}}
	answer.Result = ro.Success

	return answer, nil
}

func (s *Server) money(amount int64) ro.UnitValue {
	exponent := -s.config.Digits
	return ro.UnitValue{Digits: amount, Exponent: &exponent}
}

// close writes the record of a settled session and forgets it.
func (s *Server) close(tx ledger.Tx, session *Session, cause string) error {
	now := time.Now()
	record := CDR{
		Session: session.ID, Account: session.Account, Kind: "call", Calling: session.Calling, Called: session.Called,
		ICID: session.ICID, CallID: session.CallID, Started: session.Started, Answered: session.Answered, Ended: now,
		Duration: uint64(max(0, now.Sub(session.Started)/time.Second)), Billed: session.Used, Amount: session.Charged,
		Reserved: session.Reservations, Returned: session.Returned, Uncollected: session.Uncollected, Cause: cause,
	}

	if session.Used == 0 {
		record.Kind = "missed call"
	}

	if err := tx.Create(&record).Error; err != nil {
		return err
	}

	return tx.Delete(&Session{}, "id = ?", session.ID).Error
}

// used is the seconds that a request reports since the one before.
func used(q *ro.CCR) (seconds uint64) {
	for _, u := range q.UsedServiceUnits {
		if u.Time != nil {
			seconds += uint64(*u.Time)
		}
	}

	for _, service := range q.MultipleServicesCreditControl {
		for _, u := range service.Used {
			if u.Time != nil {
				seconds += uint64(*u.Time)
			}
		}
	}

	return seconds
}

// settle debits the use that is reported from the reservation, and gives the rest of the reservation back. What the reservation
// does not cover is debited from the account as far as it goes.
func (s *Server) settle(tx ledger.Tx, q *ro.CCR, session *Session) (*ledger.Account, error) {
	account, err := tx.Account(session.Account, ledger.Subscriber)
	if err != nil {
		return nil, err
	}

	reserved, err := tx.Account(session.Account, ledger.Reserved)
	if err != nil {
		return nil, err
	}

	revenue, err := tx.Account("network", ledger.Revenue)
	if err != nil {
		return nil, err
	}

	if seconds := used(q); seconds > 0 {
		if session.Answered.IsZero() {
			session.Answered = time.Now().Add(-time.Duration(seconds) * time.Second)
		}

		session.Used += seconds
	}

	due := session.rate.Cost(session.Used) - session.Charged - session.Uncollected
	covered := min(due, session.Reserved)
	beyond := min(due-covered, max(0, account.Balance))
	rest := session.Reserved - covered

	for _, step := range []struct {
		kind     string
		from, to *ledger.Account
		amount   int64
	}{{"debit", reserved, revenue, covered}, {"debit", account, revenue, beyond}, {"release", reserved, account, rest}} {
		if err := tx.Move(step.kind, session.ID, "", step.from, step.to, step.amount); err != nil {
			return nil, err
		}

		s.moved.WithLabelValues(step.kind).Add(float64(step.amount))
	}

	session.Charged += covered + beyond
	session.Uncollected += due - covered - beyond
	session.Returned += rest
	session.Reserved = 0

	if lost := due - covered - beyond; lost > 0 {
		s.log.Warn("used beyond the credit", "session", session.ID, "account", session.Account, "minor_units", lost)
	}

	return account, nil
}

// grant reserves the next quota: what is asked for, or the configured one, or as much as the account affords and then it is the
// last (Final-Unit-Indication, RFC 8506 §5.6).
func (s *Server) grant(tx ledger.Tx, q *ro.CCR, session *Session, account *ledger.Account) (*ro.CCA, error) {
	wanted := uint64(min(requested(q, s.config.Quota), s.config.MaxQuota) / time.Second)
	seconds := session.rate.Affordable(session.Used, wanted, account.Balance)

	if seconds == 0 {
		s.log.Info("credit limit reached", "session", session.ID, "account", session.Account, "balance", account.Balance)
		return refused(ro.CreditLimitReached, "the account has not enough credit"), nil
	}

	amount := session.rate.Cost(session.Used+seconds) - session.rate.Cost(session.Used)

	reserved, err := tx.Account(session.Account, ledger.Reserved)
	if err != nil {
		return nil, err
	}

	if err := tx.Move("reserve", session.ID, "", account, reserved, amount); err != nil {
		return nil, err
	}

	s.moved.WithLabelValues("reserve").Add(float64(amount))

	session.Granted, session.Reserved = seconds, amount
	session.Reservations += amount
	session.Expires = time.Now().Add(s.config.Validity + s.config.Supervision)

	return s.granted(q, uint32(seconds), seconds < wanted), nil
}

// requested is the time that a request asks for.
func requested(q *ro.CCR, otherwise time.Duration) time.Duration {
	if u := q.RequestedServiceUnit; u != nil && u.Time != nil && *u.Time > 0 {
		return time.Duration(*u.Time) * time.Second
	}

	for _, service := range q.MultipleServicesCreditControl {
		if u := service.Requested; u != nil && u.Time != nil && *u.Time > 0 {
			return time.Duration(*u.Time) * time.Second
		}
	}

	return otherwise
}

// granted is the answer, in the form of the request: with Multiple-Services-Credit-Control, or without.
func (s *Server) granted(q *ro.CCR, seconds uint32, last bool) *ro.CCA {
	answer := &ro.CCA{}
	answer.Result = ro.Success
	validity := uint32(s.config.Validity / time.Second)

	var final *ro.FinalUnitIndication
	if last {
		final = &ro.FinalUnitIndication{Action: ro.FinalTerminate}
	}

	if len(q.MultipleServicesCreditControl) == 0 {
		answer.GrantedServiceUnit, answer.ValidityTime, answer.FinalUnitIndication = &ro.ServiceUnit{Time: &seconds}, &validity, final
		return answer
	}

	code := ro.Success.Code
	service := ro.MultipleServicesCreditControl{
		Granted: &ro.ServiceUnit{Time: &seconds}, RatingGroup: q.MultipleServicesCreditControl[0].RatingGroup,
		ServiceIdentifiers: q.MultipleServicesCreditControl[0].ServiceIdentifiers,
		ValidityTime:       &validity, ResultCode: &code, FinalUnitIndication: final,
	}

	if threshold := uint32(s.config.Threshold / time.Second); threshold > 0 && threshold < seconds && !last {
		service.TimeQuotaThreshold = &threshold
	}

	answer.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{service}

	return answer
}
