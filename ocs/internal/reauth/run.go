package reauth

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
)

// Which selects sessions of an account.
type Which int

const (
	All   Which = iota // of a blocked account: none may continue
	Final              // of a topped-up account: those that would end with their present quota; the others ask by themselves
)

// ToppedUp gives more units to sessions whose present ones were the last. It does not wait for the outcome.
func (a *Asker) ToppedUp(ctx context.Context, account string) { a.changed(ctx, account, Final) }

// Blocked ends the sessions of an account: each requests credit anew, and is refused. It does not wait for the outcome.
func (a *Asker) Blocked(ctx context.Context, account string) { a.changed(ctx, account, All) }

func (a *Asker) changed(ctx context.Context, account string, which Which) {
	if !a.config.Enabled {
		return
	}

	ids, err := a.Sessions(ctx, account, which)
	if err != nil {
		a.log.Error("sessions cannot be read: nobody is asked to authorise anew", "account", account, "cause", err)
		return
	}

	for _, id := range ids {
		a.queue(job{session: id})
	}
}

// Sessions returns the open sessions of an account.
func (a *Asker) Sessions(ctx context.Context, account string, which Which) ([]string, error) {
	var open []*credit.Session
	if err := a.store.Read(ctx).Where("account = ?", account).Order("id").Find(&open).Error; err != nil {
		return nil, fmt.Errorf("sessions of %s: %w", account, err)
	}

	var ids []string

	for _, s := range open {
		if s.ClientHost != "" && (which == All || s.Ending()) {
			ids = append(ids, s.ID)
		}
	}

	return ids, nil
}

// queue never waits. What does not fit is not lost for good: the session asks by itself when its quota ends.
func (a *Asker) queue(j job) {
	select {
	case a.waiting <- j:
	default:
		a.outcomes.WithLabelValues("RAR", "dropped").Inc()
		a.log.Warn("too many sessions wait to be authorised anew", "session_id", j.session)
	}
}

// Run sends the queued requests until ctx ends.
func (a *Asker) Run(ctx context.Context) error {
	var workers errgroup.Group

	for range inFlight {
		workers.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case j := <-a.waiting:
					a.attend(ctx, j)
				}
			}
		})
	}

	return workers.Wait()
}

// attend asks once, and repeats after a while if there is no answer. A session that has ended meanwhile is not asked.
func (a *Asker) attend(ctx context.Context, j job) {
	answer, err := a.ReAuthorise(ctx, j.session)
	if err != nil || answer.Outcome != Silent || ctx.Err() != nil {
		return
	}

	if j.attempts++; j.attempts >= a.config.Attempts {
		return
	}

	if a.store.Clock().Wait(ctx, a.config.Wait) == nil {
		a.queue(j)
	}
}
