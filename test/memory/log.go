package memory

import (
	"bytes"
	"log/slog"
	"sync"
)

// Log keeps what is written to it, for a test to read.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Logger writes to the log as text, debug lines too.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.b.Write(p)
}

// String returns all that has been written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.b.String()
}
