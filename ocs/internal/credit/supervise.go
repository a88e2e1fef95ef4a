package credit

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
)

const (
	superviseEvery = time.Second
	forgetEvery    = time.Minute
	closedAtOnce   = 100 // sessions
)

// Run closes sessions whose network function has vanished (Tcc, RFC 8506 §7) and forgets answers that nobody will ask for again.
func (s *Server) Run(ctx context.Context) error {
	supervise, forget := time.NewTicker(superviseEvery), time.NewTicker(forgetEvery)
	defer supervise.Stop()
	defer forget.Stop()

	for {
		var err error

		select {
		case <-ctx.Done():
			return nil
		case now := <-supervise.C:
			err = s.Supervise(ctx, now)
		case now := <-forget.C:
			err = s.Forget(ctx, now)
		}

		if err != nil && ctx.Err() == nil {
			s.log.Error("sessions cannot be supervised", "error", err)
		}
	}
}

// Supervise closes the sessions that nothing was heard of until this time: what is reserved goes back, and the record says why.
func (s *Server) Supervise(ctx context.Context, now time.Time) error {
	var silent []string

	now = now.UTC()

	if err := s.store.Read(ctx).Model(&Session{}).Where("expires < ?", now).Order("expires").Limit(closedAtOnce).Pluck("id", &silent).Error; err != nil {
		return err
	}

	for _, id := range silent {
		if err := s.closeSilent(ctx, id, now); err != nil {
			return err
		}
	}

	return nil
}

func (s *Server) closeSilent(ctx context.Context, id string, now time.Time) error {
	var w *work

	err := s.store.Update(ctx, func(tx ledger.Tx) error {
		session := new(Session)

		err := tx.Where("id = ? AND expires < ?", id, now).Take(session).Error
		if errors.Is(err, gorm.ErrRecordNotFound) { // it was heard of meanwhile
			return nil
		}

		if err != nil {
			return err
		}

		w = &work{tx: tx, now: now, at: now, session: session, revenue: tx.Revenue(), posting: tx.Posting(id, NotHeard)}

		return s.run(w, Open, Silence)
	})
	if err != nil || w == nil {
		return err
	}

	s.log.Warn("session closed: nothing was heard of it", "session", id, "account", w.session.Account)
	s.metrics.closed.Inc()
	s.report(w)

	return nil
}

// Forget drops what is older than it is to be kept: answers, records, and the details of the ledger.
func (s *Server) Forget(ctx context.Context, now time.Time) error {
	err := s.store.Update(ctx, func(tx ledger.Tx) error {
		return tx.Where("at < ?", now.UTC().Add(-s.config.KeepReplies)).Delete(&Reply{}).Error
	})
	if err != nil {
		return err
	}

	if err := s.forgetRecords(ctx, now); err != nil || s.config.KeepLedger == 0 {
		return err
	}

	rolled, err := s.store.Roll(ctx, now.Add(-s.config.KeepLedger))
	if rolled > 0 {
		s.metrics.forgotten.WithLabelValues("movements").Add(float64(rolled))
		s.log.Info("old movements are rolled up", "movements", rolled)
	}

	return err
}

// forgetRecords drops CDRs, some at a time: others want to be served meanwhile.
func (s *Server) forgetRecords(ctx context.Context, now time.Time) error {
	const atATime = 5000

	for n := int64(atATime); n == atATime && s.config.KeepCDRs > 0; {
		err := s.store.Update(ctx, func(tx ledger.Tx) error {
			old := tx.Model(&CDR{}).Select("id").Where("ended < ?", now.UTC().Add(-s.config.KeepCDRs)).Order("ended").Limit(atATime)
			dropped := tx.Where("id IN (?)", old).Delete(&CDR{})
			n = dropped.RowsAffected

			return dropped.Error
		})
		if err != nil {
			return err
		}

		if n > 0 {
			s.metrics.forgotten.WithLabelValues("cdrs").Add(float64(n))
			s.log.Info("old records are dropped", "cdrs", n)
		}
	}

	return nil
}
