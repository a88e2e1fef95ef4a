package credit

import (
	"math"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// begin makes the session of a CCR Initial (RFC 8506 §5.2). It is kept only if something can be granted.
func (s *Server) begin(w *work) error {
	tariff, err := s.payer(w)
	if err != nil || w.answer != nil {
		return err
	}

	info := information(w.q)
	w.fresh = true
	w.session = &Session{
		ID: w.q.SessionID, Account: w.purse.Account.Name, ClientHost: w.q.OriginHost, ClientRealm: w.q.OriginRealm, ServiceContext: w.q.ServiceContextID, Terminating: terminating(info),
		Called: info.CalledPartyAddress, Calling: first(info.CallingPartyAddresses), ICID: info.IMSChargingIdentifier,
		CallID: info.UserSessionID, Tariff: tariff.Name, TariffVersion: tariff.Version, Number: w.q.Number, Started: w.now,
	}

	if info.EventType != nil {
		w.session.Method = info.EventType.SIPMethod
	}

	return nil
}

func terminating(info ro.IMSInformation) bool {
	return info.RoleOfNode != nil && *info.RoleOfNode == ro.TerminatingRole
}

// checkNumber refuses a request that is older than what was served already: it would report the same use twice.
func (s *Server) checkNumber(w *work) {
	if w.q.Number <= w.session.Number {
		w.answer = refused(ro.InvalidAVPValue, "CC-Request-Number goes back", &FailedAVP{RequestNumber: &w.q.Number})
		return
	}

	w.session.Number = w.q.Number
	w.session.ClientHost, w.session.ClientRealm = w.q.OriginHost, w.q.OriginRealm // another one may have taken it over
}

// debit takes what is reported as used, service by service, from what was reserved for it, and gives the rest of that back
// (RFC 8506 §5.3). Services that the request does not name keep their quota.
func (s *Server) debit(w *work) error {
	if err := w.findPurse(); err != nil {
		return err
	}

	for i := range w.wishes {
		wish := &w.wishes[i]

		quota, _, err := s.quotaOf(w, wish)
		if err != nil {
			return err
		}

		if quota != nil {
			w.settle(s.config.Overdraft, quota, wish.used(quota.Unit))
		} else {
			w.late = add(w.late, wish.used(wish.measured()))
		}
	}

	w.session.total()

	return nil
}

// releaseAll gives back what is still reserved.
func (s *Server) releaseAll(w *work) error {
	if err := w.findPurse(); err != nil {
		return err
	}

	for _, quota := range w.session.Services {
		w.settle(s.config.Overdraft, quota, 0)
	}

	w.session.total()
	w.answer = accepted()
	w.answer.CostInformation = s.cost(w.session.Charged)

	tariff, err := s.tariffs.version(w.tx.DB, w.session.Tariff, w.session.TariffVersion)
	if err != nil {
		return err
	}

	s.tellBalance(w, tariff)

	return nil
}

func (w *work) findPurse() (err error) {
	if w.purse.Account == nil {
		w.purse, err = w.tx.Purse(w.session.Account)
	}

	return err
}

// settle debits the use of one service. What was used beyond the reservation is taken from the account as far as it goes, and
// down to the overdraft; what even that does not cover is written down, and lost.
func (w *work) settle(overdraft int64, quota *Quota, used uint64) {
	if used > 0 && quota.Unit == rating.Seconds && w.session.Answered == nil {
		answered := w.now.Add(-time.Duration(min(used, math.MaxUint32)) * time.Second)
		if answered.Before(w.session.Started) {
			answered = w.session.Started
		}

		w.session.Answered = &answered
	}

	if quota.Final && used >= quota.Granted {
		w.session.Exhausted = true
	}

	quota.Used = min(add(quota.Used, used), rating.MaxUnits)

	due := max(0, quota.Rate.Cost(quota.Unit, quota.Used)-quota.Charged-quota.Uncollected)
	covered := min(due, quota.Reserved)
	rest := quota.Reserved - covered
	beyond := min(due-covered, max(0, w.purse.Account.Balance+overdraft))
	lost := due - covered - beyond

	w.posting.Move("debit", w.purse.Reserved, w.revenue, covered)
	w.posting.Move("debit", w.purse.Account, w.revenue, beyond)
	w.posting.Move("release", w.purse.Reserved, w.purse.Account, rest)

	quota.Charged += covered + beyond
	quota.Uncollected += lost
	quota.Reserved, quota.Granted, quota.Final = 0, 0, false
	w.session.Returned += rest
	w.overrun += lost
}

// supervise restarts Tcc: longer than the quota is valid (RFC 8506 §7). A user without credit who is not cut off, but sent to
// top up, has as long for that.
func (s *Server) supervise(w *work) error {
	tariff, err := s.tariffs.version(w.tx.DB, w.session.Tariff, w.session.TariffVersion)
	if err != nil {
		return err
	}

	wait := s.config.Supervision
	if final, _ := s.terms(tariff); w.session.Granted > 0 || !w.session.Exhausted || final.Action != rating.Terminate {
		wait += s.config.Validity
	}

	w.session.Expires = w.now.Add(wait)

	return nil
}

func (s *Server) money(amount int64) ro.UnitValue {
	exponent := -s.config.Digits
	return ro.UnitValue{Digits: amount, Exponent: &exponent}
}

func (s *Server) cost(amount int64) *ro.CostInformation {
	return &ro.CostInformation{Value: s.money(amount), Currency: s.config.Currency}
}
