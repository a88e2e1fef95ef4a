// Package policy is a simulated PCRF (TS 29.214 §4) and PCF (TS 29.514 §4.2) for labs and tests: they grant requests as Open5GS's do,
// refuse or keep silent on request, report lost bearers, and remember what came. They have no gateway: no bearer is set up anywhere.
package policy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// remembered is the number of requests that a server remembers.
const remembered = 1000

// Event is a request that came, and how it was answered.
type Event struct {
	At      time.Time
	Kind    string // AAR or STR; at a PCF POST, PATCH or DELETE
	Session string // Session-Id, or the path of the application session; "": none was made
	Result  uint32 // the Diameter result, or the status of HTTP
}

func (e Event) String() string { return fmt.Sprintf("%s %d", e.Kind, e.Result) }

// book is what a server knows: the open sessions as of their last request, and what came.
type book[Q any] struct {
	mu       sync.Mutex
	sessions map[string]Q
	events   []Event

	arrived, settled func(ctx context.Context, kind string)
}

// Sessions returns the open sessions, by Session-Id or path, as of the last request.
func (b *book[Q]) Sessions() map[string]Q {
	b.mu.Lock()
	defer b.mu.Unlock()

	return maps.Clone(b.sessions)
}

// Events returns the last requests, in order.
func (b *book[Q]) Events() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()

	return slices.Clone(b.events)
}

// Forget loses a session without a word.
func (b *book[Q]) Forget(session string) {
	b.mu.Lock()
	defer b.mu.Unlock()

	delete(b.sessions, session)
}

// Clear loses all sessions without a word, as a process does that is started anew.
func (b *book[Q]) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()

	clear(b.sessions)
}

// Watch sets functions that are called with the kind of each request: when it has arrived, and when it is carried out and not yet answered.
// Either may wait; what it holds when ctx ends is lost: the request, or its answer. nil is no function.
func (b *book[Q]) Watch(arrived, settled func(ctx context.Context, kind string)) {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.arrived, b.settled = arrived, settled
}

// arrives reports whether a request that has arrived is not lost.
func (b *book[Q]) arrives(ctx context.Context, kind string) bool {
	b.mu.Lock()
	arrived := b.arrived
	b.mu.Unlock()

	return held(ctx, kind, arrived)
}

// settles reports whether the answer to a request is not lost.
func (b *book[Q]) settles(ctx context.Context, kind string) bool {
	b.mu.Lock()
	settled := b.settled
	b.mu.Unlock()

	return held(ctx, kind, settled)
}

func held(ctx context.Context, kind string, by func(context.Context, string)) bool {
	if by != nil {
		by(ctx, kind)
	}

	return ctx.Err() == nil
}

// remember is called with the lock held.
func (b *book[Q]) remember(kind, session string, result uint32) {
	if len(b.events) == remembered {
		b.events = b.events[1:]
	}

	b.events = append(b.events, Event{At: time.Now(), Kind: kind, Session: session, Result: result})
}
