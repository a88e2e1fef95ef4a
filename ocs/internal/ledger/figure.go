package ledger

import (
	"context"
	"sync"
	"time"
)

// Figure is what is read from the whole ledger, which takes the longer the larger it is. Who asks for it does not wait for that: a figure
// that took long is given as it was a while ago, and read anew meanwhile.
type Figure[T any] struct {
	read func(ctx context.Context) (T, error)

	mu      sync.Mutex
	value   T
	err     error
	at      time.Time
	took    time.Duration
	running chan struct{} // closed when the reading that runs has ended; nil: none runs
}

const (
	soon     = 10 * time.Millisecond // a figure read in this time is always of now; a longer one is not waited for
	rest     = 100                   // so many times as long as a reading took, there is no other
	giveUpOn = time.Minute           // a reading
)

// NewFigure returns a figure.
func NewFigure[T any](read func(ctx context.Context) (T, error)) *Figure[T] {
	return &Figure[T]{read: read}
}

// Value returns the figure. Only the first time does it wait for as long as it takes.
func (f *Figure[T]) Value(ctx context.Context) (T, error) {
	running, first := f.start()
	if running != nil {
		patience := time.NewTimer(soon)
		defer patience.Stop()

		late := patience.C
		if first {
			late = nil
		}

		select {
		case <-running:
		case <-late:
		case <-ctx.Done():
		}
	}

	f.mu.Lock()
	defer f.mu.Unlock()

	if f.at.IsZero() {
		return f.value, context.Cause(ctx)
	}

	return f.value, f.err
}

// start begins a reading if it is time for one, and returns the one that runs.
func (f *Figure[T]) start() (running chan struct{}, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()

	if f.running == nil && (f.took < soon || time.Since(f.at) > rest*f.took) {
		f.running = make(chan struct{})
		go f.renew(f.running)
	}

	return f.running, f.at.IsZero()
}

func (f *Figure[T]) renew(done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), giveUpOn)
	defer cancel()

	began := time.Now()
	value, err := f.read(ctx)

	f.mu.Lock()
	defer f.mu.Unlock()

	f.value, f.err, f.at, f.took, f.running = value, err, time.Now(), time.Since(began), nil
	close(done)
}
