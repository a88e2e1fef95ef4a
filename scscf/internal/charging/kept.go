package charging

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/journal"
)

const file = "charging.jsonl"

// kept is a session as it outlives the process.
type kept struct {
	credit

	State State `json:"state"`
}

// MarshalText writes a state by its name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name of a state.
func (s *State) UnmarshalText(text []byte) error {
	at := slices.Index(stateNames[:], string(text))
	if at < 0 {
		return fmt.Errorf("charging: no state is called %q", text)
	}

	*s = State(at)

	return nil
}

// store keeps sessions over a restart; it is a *journal.Journal.
type store interface {
	Put(key string, k kept) error
	Drop(key string) error
	Close() error
}

// Restore brings back the sessions that were kept in a directory, and keeps them there from now on. They do nothing before
// Resume.
func (t *Trigger) Restore(directory string) error {
	j, all, err := journal.Open[kept](directory, file, t.log)
	if err != nil {
		return err
	}

	t.restore(j, all)

	return nil
}

func (t *Trigger) restore(j store, all map[string]kept) {
	t.journal, t.kept = j, map[string]*Session{}

	for key, k := range all {
		if k.Key != key || k.State == Idle || k.State == PendingI || k.State > OwedT { // not written by us
			t.log.Warn("a kept charging session cannot be read, and is left out", "session_id", key, "state", k.State)
			continue
		}

		s := &Session{trigger: t, state: k.credit, machine: t.machine.Start(k.State)}
		s.step(Restarted, input{now: time.Now()})

		t.kept[key] = s
		t.restored = append(t.restored, s)
		t.add(s)
	}
}

// Take hands a restored session to its call. The second call, and one for a session that is settled, finds nothing.
func (t *Trigger) Take(key string, release func(why string, cause Cause)) (*Session, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()

	s := t.kept[key]
	delete(t.kept, key)

	if s == nil || s.state.Last != nil {
		return nil, false
	}

	s.release = release

	return s, true
}

// Resume lets restored sessions go on, once the OCS can be reached: quotas are watched, last reports repeated. Sessions without
// a call are over: what was set up when the process ended cannot be answered any more.
func (t *Trigger) Resume(ctx context.Context, ready func(context.Context)) {
	t.mu.Lock()
	restored := t.restored
	t.restored, t.kept = nil, nil
	t.mu.Unlock()

	if len(restored) == 0 {
		return
	}

	t.log.Info("charging sessions restored", "count", len(restored))
	ready(ctx)

	for _, s := range restored {
		switch {
		case ctx.Err() != nil:
			return
		case s.release == nil && !s.ended():
			s.End(Internal)
		default:
			_ = s.talk(context.Background(), s.step(Resumed, input{now: time.Now()}))
		}
	}
}

func (s *Session) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.state.Last != nil
}

// Close stops all sessions as they are.
func (t *Trigger) Close() error {
	t.mu.Lock()
	open := slices.Collect(maps.Values(t.open))
	t.mu.Unlock()

	for _, s := range open {
		s.mu.Lock()
		s.stop()
		s.mu.Unlock()
	}

	if t.journal == nil {
		return nil
	}

	return t.journal.Close()
}

// keep writes the session as it is, or its end. What was refused at once was never there. Called with the session's lock held.
func (s *Session) keep(before, after State) {
	t := s.trigger

	switch {
	case after == PendingI || before == after && after == Idle || before == PendingI && after == Idle:
		return
	case after == Idle:
		t.remove(s)
		return
	case before == PendingI:
		t.add(s)
	}

	if t.journal == nil {
		return
	}

	if err := t.journal.Put(s.state.Key, kept{credit: s.state, State: after}); err != nil {
		t.log.Error("a charging session could not be written; it would be lost at a restart", "session_id", s.state.ID, "cause", err)
	}
}

func (t *Trigger) add(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.open[s.state.ID] = s
	t.sessions.Inc()
}

// full tells that more sessions are open than may be waiting for the OCS.
func (t *Trigger) full() bool {
	const limit = 200_000

	t.mu.Lock()
	defer t.mu.Unlock()

	return len(t.open) > limit
}

func (t *Trigger) rename(old string, s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()

	delete(t.open, old)
	t.open[s.state.ID] = s
}

// remove ends a session for good.
func (t *Trigger) remove(s *Session) {
	t.mu.Lock()
	delete(t.open, s.state.ID)
	t.sessions.Dec()
	t.mu.Unlock()

	t.forget(s.state.Key)
}

func (t *Trigger) forget(key string) {
	if t.journal == nil {
		return
	}

	if err := t.journal.Drop(key); err != nil {
		t.log.Error("the end of a charging session could not be written; a restart would report it again", "session_id", key, "cause", err)
	}
}
