package credit

import (
	"context"
	"encoding/json"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

const superviseEvery = time.Second

// Run closes sessions whose network function has vanished (Tcc, RFC 8506 §7) and forgets answers that nobody will ask for again.
func (s *Server) Run(ctx context.Context) error {
	ticker := time.NewTicker(superviseEvery)
	defer ticker.Stop()

	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			if err := s.Supervise(ctx, now); err != nil && ctx.Err() == nil {
				s.log.Error("sessions cannot be supervised", "error", err)
			}
		}
	}
}

// Supervise does at this time what is due: it returns the unused reservation of each silent session and writes its record.
func (s *Server) Supervise(ctx context.Context, now time.Time) error {
	var silent []Session
	if err := s.store.Read(ctx).Where("expires < ?", now).Limit(100).Find(&silent).Error; err != nil {
		return err
	}

	for _, session := range silent {
		s.log.Warn("session closed: nothing was heard of it", "session", session.ID, "account", session.Account)

		err := s.store.Update(ctx, func(tx ledger.Tx) error {
			again := new(Session)
			if err := tx.Where("id = ? AND expires < ?", session.ID, now).Take(again).Error; err != nil {
				return nil //nolint:nilerr // it was heard of meanwhile
			}

			if err := json.Unmarshal([]byte(again.Rate), &again.rate); err != nil {
				return err
			}

			if _, err := s.settle(tx, &ro.CCR{}, again); err != nil {
				return err
			}

			return s.close(tx, again, "supervision time over")
		})
		if err != nil {
			return err
		}

		s.closed.Inc()
	}

	return s.store.Update(ctx, func(tx ledger.Tx) error {
		return tx.Where("at < ?", now.Add(-s.config.KeepReplies)).Delete(&Reply{}).Error
	})
}
