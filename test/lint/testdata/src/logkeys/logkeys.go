package logkeys

import (
	"context"
	"log/slog"
)

func refuse(status int, attributes ...any) { slog.Warn("refused", attributes...) }

func who() (attributes []any) {
	return []any{"impi", "a", "private", "b"} // want `the log key "private" is not in docs/logs.md`
}

func lines(log *slog.Logger, err error, key string) {
	log.Info("good", "impi", "user", "cause", err)
	log.Info("bad", "user", "impi", "cause", err)                                              // want `the log key "user" is not in docs/logs.md`
	log.With("peer", "p", "error", err).Warn("bad")                                            // want `the log key "error" is not in docs/logs.md`
	log.Log(context.Background(), slog.LevelInfo, "bad", "call id", 1)                         // want `the log key "call id" is not in docs/logs.md`
	log.Info("bad", slog.String("impu", "u"), slog.Int("session", 1), "status", 1, "why", err) // want `the log key "session"` `the log key "why"`
	log.Info("bad", key, 1)                                                                    // want `a log key that is not a constant`
	refuse(403, "impi", "a", "public", "b")                                                    // want `the log key "public" is not in docs/logs.md`

	attributes := append(append(make([]any, 0, 4), "from", "a", "to", "b"), who()...) // want `the log key "to" is not in docs/logs.md`
	refuse(404, attributes...)
}
