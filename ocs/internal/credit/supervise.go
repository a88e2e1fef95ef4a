package credit

import (
	"context"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
)

const (
	superviseEvery = time.Second
	forgetEvery    = time.Minute
	closedAtOnce   = 100  // sessions
	droppedAtOnce  = 1000 // rows
	blind          = 10 * superviseEvery
)

// Run closes sessions whose network function has vanished (Tcc, RFC 8506 §7), and drops answers that nobody will request again.
func (s *Server) Run(ctx context.Context) error {
	var both sync.WaitGroup

	both.Go(func() { s.every(ctx, superviseEvery, s.watch) })
	both.Go(func() { s.every(ctx, forgetEvery, s.forget) })
	both.Wait()

	return nil
}

func (s *Server) every(ctx context.Context, interval time.Duration, do func(context.Context, time.Time) error) {
	s.store.Clock().Every(ctx, interval, func(now time.Time) {
		if err := do(ctx, now); err != nil && ctx.Err() == nil {
			s.log.Error("sessions cannot be supervised, or what is old forgotten", "cause", err)
		}
	})
}

// watch supervises sessions. After a time in which it could not, because the OCS or its database was down, or the whole machine slept, no
// report could come either: every session gets its supervision time anew before any is closed.
func (s *Server) watch(ctx context.Context, now time.Time) error {
	now = now.Round(0) // wall clock: the monotonic one may have stopped

	if now.Sub(s.watched).Abs() > blind {
		if err := s.grace(ctx, now); err != nil {
			return err
		}
	}

	if err := s.closeExpired(ctx, now); err != nil {
		return err
	}

	s.watched = now

	return nil
}

// grace gives sessions at least the supervision time from now on.
func (s *Server) grace(ctx context.Context, now time.Time) error {
	until := now.UTC().Add(s.config.Supervision)

	return s.store.Update(ctx, func(tx ledger.Tx) error {
		return tx.Model(&Session{}).Where("expires < ?", until).Update("expires", until).Error
	})
}

// closeExpired closes the sessions silent until this time: their reservations are returned, and the record gives the cause.
func (s *Server) closeExpired(ctx context.Context, now time.Time) error {
	var silent []string

	now = now.UTC()

	expired := s.store.Read(ctx).Model(&Session{}).Where("expires < ?", now)
	if err := expired.Order("expires").Limit(closedAtOnce).Pluck("id", &silent).Error; err != nil {
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
	w, err := s.close(ctx, now, id, Silence, notHeard, func(session *Session) bool { return session.Expires.Before(now) })
	if err != nil || w == nil { // a request came meanwhile
		return err
	}

	s.log.Warn("session closed: nothing was heard of it", "session_id", id, "account", w.session.Account)
	s.metrics.closed.Inc()
	s.report(w)

	return nil
}

// Close ends a session whose network function is gone, before its supervision does: the reservation is returned, and a later report finds
// no session. It returns gorm.ErrRecordNotFound if there is no session.
func (s *Server) Close(ctx context.Context, id string) (*Session, error) {
	w, err := s.close(ctx, s.store.Now(), id, ByHand, ClosedByHand, func(*Session) bool { return true })
	if err != nil {
		return nil, err
	}

	if w == nil {
		return nil, gorm.ErrRecordNotFound
	}

	s.log.Warn("session closed by the operator", "session_id", id, "account", w.session.Account)
	s.report(w)

	return w.session, nil
}

// close ends a session if it is still so; if not, or if there is none, it returns nil.
func (s *Server) close(
	ctx context.Context,
	now time.Time,
	id string,
	event Event,
	why string,
	still func(session *Session) bool,
) (w *exchange, err error) {
	err = s.store.Group(ctx, []string{id}, func(tx ledger.Tx) error {
		b, err := s.newBatch(tx)
		if err != nil {
			return err
		}

		k, err := b.of(id)
		if err != nil || k.session == nil || !still(k.session) {
			return err
		}

		w = &exchange{
			tx: tx, batch: b, known: k, now: now, at: now, session: k.session, revenue: tx.Revenue(), posting: tx.Posting(id, why),
		}

		w.run = s.machine.Start(Open)

		if err := s.run(w, event); err != nil {
			return err
		}

		return b.close()
	})

	return w, err
}

// forget drops what has been kept long enough: answers, records, and the details of the ledger.
func (s *Server) forget(ctx context.Context, now time.Time) error {
	answers := func(tx ledger.Tx) *gorm.DB {
		oldest := tx.Model(&reply{}).Select("id").Order("id").Limit(droppedAtOnce)
		return tx.Where("id IN (?) AND at < ?", oldest, now.UTC().Add(-s.config.KeepReplies)).Delete(&reply{})
	}
	if _, err := s.drop(ctx, answers); err != nil {
		return err
	}

	if s.config.KeepCDRs > 0 {
		dropped, err := s.drop(ctx, func(tx ledger.Tx) *gorm.DB {
			old := tx.Model(&CDR{}).Select("id").Where("ended < ?", now.UTC().Add(-s.config.KeepCDRs)).Order("ended").Limit(droppedAtOnce)
			return tx.Where("id IN (?)", old).Delete(&CDR{})
		})
		if dropped > 0 {
			s.metrics.forgotten.WithLabelValues("cdrs").Add(float64(dropped))
			s.log.Info("old records are dropped", "cdrs", dropped)
		}

		if err != nil {
			return err
		}
	}

	if s.config.KeepLedger == 0 {
		return nil
	}

	rolled, err := s.store.Roll(ctx, now.Add(-s.config.KeepLedger))
	if rolled > 0 {
		s.metrics.forgotten.WithLabelValues("movements").Add(float64(rolled))
		s.log.Info("old movements are rolled up", "movements", rolled)
	}

	return err
}

// drop deletes some rows per transaction until none are left, so that others get their turn at the ledger.
func (s *Server) drop(ctx context.Context, some func(tx ledger.Tx) *gorm.DB) (dropped int64, err error) {
	for n := int64(droppedAtOnce); n == droppedAtOnce; {
		err := s.store.Tidy(ctx, func(tx ledger.Tx) error {
			deleted := some(tx)
			n = deleted.RowsAffected

			return deleted.Error
		})
		if err != nil {
			return dropped, err
		}

		dropped += n
	}

	return dropped, nil
}
