package names

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/lab/internal/zone"
)

// Follower polls the subscribers, and renews the zones when they change.
type Follower struct {
	plan  zone.Plan
	read  Read
	put   func([]*zone.Zone) error
	every time.Duration
	say   func(string)

	mu     sync.Mutex
	serial uint32
	told   string // the last failure reported
}

// Follow returns a follower of a network. Its zones are put at once, except that of numbers, which waits until they have been read.
// Messages go line by line to say.
func Follow(plan zone.Plan, read Read, every time.Duration, put func([]*zone.Zone) error, say func(string)) (*Follower, error) {
	f := &Follower{plan: plan, read: read, put: put, every: every, say: say}

	return f, f.renew(nil)
}

// renew puts the zones with these numbers. Their serial number is the time, or the last one plus one (RFC 1912 §2.2, RFC 1982).
func (f *Follower) renew(numbers []zone.Number) error {
	f.plan.Numbers = numbers
	f.serial = max(f.serial+1, uint32(time.Now().Unix()))

	zones, err := f.plan.Zones(f.serial)
	if err != nil {
		return err
	}

	return f.put(zones)
}

// Again reads the subscribers now. The zones stay as they are while they cannot be read.
func (f *Follower) Again(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()

	numbers, err := f.read(ctx)
	if err != nil {
		return fmt.Errorf("the subscribers cannot be read: %w", err)
	}

	if f.plan.Numbers != nil && reflect.DeepEqual(numbers, f.plan.Numbers) {
		return nil
	}

	if err := f.renew(numbers); err != nil {
		return err
	}

	f.say(fmt.Sprintf("names: %d numbers, serial %d", len(numbers), f.serial))

	if warning := Strangers(numbers, f.plan.Domain); warning != "" {
		f.say("names: " + warning)
	}

	return nil
}

// Run polls until ctx ends; a long list takes at most a tenth of the time. A failure is reported once.
func (f *Follower) Run(ctx context.Context) {
	for {
		begin := time.Now()
		f.tell(ctx, f.Again(ctx))

		select {
		case <-ctx.Done():
			return
		case <-time.After(max(f.every, 9*time.Since(begin))):
		}
	}
}

func (f *Follower) tell(ctx context.Context, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()

	text := ""
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		text = err.Error()
	}

	if text != "" && text != f.told {
		f.say("names: " + text)
	}

	f.told = text
}
