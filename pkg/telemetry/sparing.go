package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// sparing passes on a limited number of lines a second with the same message, whatever their attributes, so that others' faults do not
// flood the log. The next line that passes tells how many did not. Debug lines all pass.
type sparing struct {
	slog.Handler
	said *said
}

// said is what was recently written.
type said struct {
	perSecond int
	mu        sync.Mutex
	quotas    map[string]*quota // by message
}

type quota struct {
	limiter *rate.Limiter
	omitted int
}

// maxMessages bounds the messages that are distinguished; they are constants of the program, except for a library's.
const maxMessages = 1000

func newSparing(handler slog.Handler, perSecond int) *sparing {
	return &sparing{handler, &said{perSecond: perSecond, quotas: map[string]*quota{}}}
}

func (s *sparing) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo {
		omitted, pass := s.said.pass(r.Message, r.Time)
		if !pass {
			return nil
		}

		if omitted > 0 {
			r = r.Clone()
			r.AddAttrs(slog.Int("omitted_before", omitted))
		}
	}

	return s.Handler.Handle(ctx, r)
}

func (s *sparing) WithAttrs(attributes []slog.Attr) slog.Handler {
	return &sparing{s.Handler.WithAttrs(attributes), s.said}
}

func (s *sparing) WithGroup(name string) slog.Handler {
	return &sparing{s.Handler.WithGroup(name), s.said}
}

// pass reports whether a message may be written now, and how many like it were omitted since the last.
func (s *said) pass(message string, now time.Time) (omitted int, pass bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	q := s.quotas[message]
	if q == nil {
		if len(s.quotas) >= maxMessages {
			clear(s.quotas)
		}

		q = &quota{limiter: rate.NewLimiter(rate.Limit(s.perSecond), s.perSecond)}
		s.quotas[message] = q
	}

	if !q.limiter.AllowN(now, 1) {
		q.omitted++
		return 0, false
	}

	omitted, q.omitted = q.omitted, 0

	return omitted, true
}
