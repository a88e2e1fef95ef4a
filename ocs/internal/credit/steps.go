package credit

import (
	"math"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// openSession makes the session of a CCR Initial (RFC 8506 §5.2). It is saved only if something can be granted.
func (s *Server) openSession(w *exchange) error {
	tariff, err := s.payer(w)
	if err != nil || w.answer != nil {
		return err
	}

	info := information(w.q)
	w.fresh = true
	w.session = &Session{
		ID:             w.q.SessionID,
		Account:        w.purse.Account.Name,
		ClientHost:     w.q.OriginHost,
		ClientRealm:    w.q.OriginRealm,
		ServiceContext: w.q.ServiceContextID,
		Terminating:    terminating(info),
		Called:         info.CalledPartyAddress,
		Calling:        first(info.CallingPartyAddresses),
		ICID:           info.IMSChargingIdentifier,
		CallID:         info.UserSessionID,
		Tariff:         tariff.Name,
		TariffVersion:  tariff.Version,
		Number:         w.q.Number,
		Started:        w.at,
	}

	if info.EventType != nil {
		w.session.Method = info.EventType.SIPMethod
	}

	return nil
}

func terminating(info ro.IMSInformation) bool {
	return info.RoleOfNode != nil && *info.RoleOfNode == ro.TerminatingRole
}

// debit charges reported use to its reservation, returns the rest of that, and then charges use beyond it to the account (RFC 8506 §5.3).
// Services that the request does not name keep their quota.
func (s *Server) debit(w *exchange) error {
	if err := w.findPurse(); err != nil {
		return err
	}

	if err := s.meters(w); err != nil {
		return err
	}

	used := map[*Quota]use{} // several reports may concern one quota

	for i := range w.msccs {
		mscc := &w.msccs[i]

		quota := w.session.quotaOfReport(mscc)
		if quota == nil {
			var err error
			if quota, _, err = s.quotaOf(w, mscc); err != nil {
				return err
			}
		}

		w.noteUnrated(mscc, quota)

		if quota != nil {
			used[quota] = used[quota].plus(mscc.use(quota.Unit))
		}
	}

	for _, quota := range w.session.Services {
		if units, reported := used[quota]; reported {
			w.debitQuota(quota, units)
		}
	}

	if w.q.Type == ro.Terminate { // all reservations are returned before overruns are collected
		w.releaseRest(used)
	}

	w.collect(s.overdraft(w))

	return nil
}

// releaseRest returns the reservations of services that the last report does not name.
func (w *exchange) releaseRest(but map[*Quota]use) {
	for _, quota := range w.session.Services {
		if _, reported := but[quota]; !reported {
			w.debitQuota(quota, use{})
		}
	}
}

// noteUnrated records what is reported in units that the service is not charged in. Beside the charged units they measure the same use;
// alone they are use that nobody pays for.
func (w *exchange) noteUnrated(mscc *mscc, quota *Quota) {
	for i := range mscc.reports {
		charged := false
		if quota != nil {
			_, charged = measure(&mscc.reports[i], quota.Unit)
			charged = charged || quota.Unit == rating.Money && mscc.reports[i].Money != nil
		}

		for _, unit := range measurable {
			amount, _ := measure(&mscc.reports[i], unit)
			if amount == 0 || quota != nil && unit == quota.Unit {
				continue
			}

			w.note(unit, amount, charged)
		}

	}

	if mscc.spent > 0 && (quota == nil || quota.Unit != rating.Money) {
		w.note(rating.Money, mscc.spent, false)
	}
}

func (w *exchange) note(unit rating.Unit, amount uint64, charged bool) {
	if w.session.Unrated == nil {
		w.session.Unrated = Units{}
	}

	if w.unpaid == nil {
		w.beside, w.unpaid = Units{}, Units{}
	}

	w.session.Unrated[unit] = min(add(w.session.Unrated[unit], amount), rating.MaxUnits)

	if charged {
		w.beside[unit] = add(w.beside[unit], amount)
	} else {
		w.unpaid[unit] = add(w.unpaid[unit], amount)
	}
}

// releaseAll returns what is still reserved.
func (s *Server) releaseAll(w *exchange) error {
	if err := w.findPurse(); err != nil {
		return err
	}

	if err := s.meters(w); err != nil {
		return err
	}

	w.releaseRest(nil)
	w.collect(s.overdraft(w))
	w.answer = accepted()
	w.answer.CostInformation = s.cost(w.session.Charged)

	tariff, err := s.tariffs.version(w.tx.DB, w.session.Tariff, w.session.TariffVersion)
	if err != nil {
		return err
	}

	s.tellBalance(w, tariff)

	return nil
}

func (w *exchange) findPurse() (err error) {
	if w.purse.Account == nil {
		w.purse, err = w.tx.Purse(w.session.Account)
	}

	return err
}

// debitQuota debits the use of one service from its reservation, and returns the rest of that.
func (w *exchange) debitQuota(quota *Quota, reported use) {
	used := reported.sum()

	if used > 0 && quota.Unit == rating.Seconds && w.session.Answered == nil {
		answered := w.at.Add(-time.Duration(min(used, math.MaxUint32)) * time.Second)
		if answered.Before(w.session.Started) {
			answered = w.session.Started
		}

		w.session.Answered = &answered
	}

	if quota.Final && used >= quota.Granted && quota.Unit != rating.Events {
		w.session.Exhausted = true
	}

	w.count(quota, reported)
	quota.Used = min(add(quota.Used, used), rating.MaxUnits)
	covered := min(quota.due(), quota.Reserved)
	rest := quota.Reserved - covered

	w.posting.Move("debit", w.purse.Reserved, w.revenue, covered)
	w.posting.Move("release", w.purse.Reserved, w.purse.Account, rest)

	quota.Charged += covered
	quota.Reserved, quota.Granted, quota.Final, quota.Refused = 0, 0, false, false
	w.session.Returned += rest
}

// due returns the cost of the use that is not paid yet.
func (q *Quota) due() int64 { return max(0, q.meter.Cost(q.Parts)-q.Charged) }

// collect charges use beyond the reservations to the account as far as it goes, down to the overdraft. It runs after they have been
// returned, so that the order of services in a request does not matter; what the account does not cover is tried again with each report of
// the session, until it ends.
func (w *exchange) collect(overdraft int64) {
	for _, quota := range w.session.Services {
		due := quota.due()
		covered := min(due, max(0, w.purse.Account.Balance+overdraft))
		w.posting.Move("debit", w.purse.Account, w.revenue, covered)
		quota.Charged += covered
		quota.Uncollected = due - covered
	}

	w.session.total()
}

// overdraft returns how far below zero use beyond the grants may bring the account, by the plan or else as configured.
func (s *Server) overdraft(w *exchange) int64 {
	if t := w.plan.Quota; t != nil && t.Overdraft != nil {
		return *t.Overdraft
	}

	return s.config.Overdraft
}

// supervise restarts Tcc, which is longer than the quota is valid (RFC 8506 §7). A user without credit who is not cut off, but redirected
// to top up, has as long for that.
func (s *Server) supervise(w *exchange) error {
	tariff, err := s.tariffs.version(w.tx.DB, w.session.Tariff, w.session.TariffVersion)
	if err != nil {
		return err
	}

	wait := s.config.Supervision
	if final, _ := s.terms(tariff); w.session.Granted > 0 || !w.session.Exhausted || final.Action != rating.Terminate {
		longest := s.config.Validity

		for _, quota := range w.session.Services {
			if quota.meter != nil {
				longest = max(longest, time.Duration(s.validity(quota))*time.Second)
			}
		}

		wait += longest
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
