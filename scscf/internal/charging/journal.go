package charging

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/journal"
)

// Files of sessions and of events.
const (
	sessionsFile = "charging.jsonl"
	eventsFile   = "events.jsonl"
)

// kept is the form of a session that outlives the process.
type kept struct {
	credit

	State State `json:"state"`
}

// keptEvent is the form of an event that outlives the process.
type keptEvent struct {
	oneEvent

	State State `json:"state"`
}

// MarshalText writes the name of a state.
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

// store keeps sessions or events over a restart; it is a *journal.Journal.
type store[V any] interface {
	Keep(key string, v V) error
	Forget(key string) error
	Close() error
}

// Restore restores the sessions and events kept in a directory, and keeps them there from now on. They do nothing before Resume.
func (t *Trigger) Restore(directory string) error {
	sessions, allSessions, err := journal.Open[kept](directory, sessionsFile, t.log)
	if err != nil {
		return err
	}

	events, allEvents, err := journal.Open[keptEvent](directory, eventsFile, t.log)
	if err != nil {
		return errors.Join(err, sessions.Close())
	}

	t.restore(sessions, allSessions)
	t.restoreEvents(events, allEvents)

	return nil
}

func (t *Trigger) restore(j store[kept], all map[string]kept) {
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

func (t *Trigger) restoreEvents(j store[keptEvent], all map[string]keptEvent) {
	t.eventJournal = j

	for key, k := range all {
		if k.ID != key || !eventsState(k.State) || k.State == Buffered && k.Owed == nil { // not written by us
			t.log.Warn("a kept charged event cannot be read, and is left out", "session_id", key, "state", k.State)
			continue
		}

		e := &Event{trigger: t, state: k.oneEvent, machine: t.events.Start(k.State)}
		t.addEvent(e)

		if e.step(Restarted, input{now: time.Now(), cause: internal}); !e.settled() {
			t.restoredEvents = append(t.restoredEvents, e)
		}
	}
}

// eventsState reports whether an event can be kept in a state.
func eventsState(s State) bool { return s == PendingI || s == PendingT || s >= PendingE }

// Restored hands a restored session to its call. A second call for it, or one for a settled session, finds nothing.
func (t *Trigger) Restored(key string, release func(why string, cause Cause)) (*Session, bool) {
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

// Resume lets restored sessions and events go on, once the OCS can be reached: quotas are watched, and owed reports sent. Sessions
// without a call are over: calls that were being set up when the process ended cannot be answered any more.
func (t *Trigger) Resume(ctx context.Context, ready func(context.Context)) {
	t.mu.Lock()
	sessions, events := t.restored, t.restoredEvents
	t.restored, t.restoredEvents, t.kept = nil, nil, nil
	t.mu.Unlock()

	if len(sessions)+len(events) == 0 {
		return
	}

	t.log.Info("charging sessions restored", "count", len(sessions)+len(events))

	began := time.Now()

	ready(ctx)

	for _, s := range sessions {
		switch {
		case ctx.Err() != nil:
			return
		case s.release == nil && !s.ended():
			s.end(began, internal) // nothing is sent while the OCS is waited for
		default:
			_ = s.talk(context.Background(), s.step(Resumed, input{now: time.Now()}))
		}
	}

	for _, e := range events {
		if ctx.Err() != nil {
			return
		}

		_ = e.talk(context.Background(), e.step(Resumed, input{now: time.Now()}))
	}
}

func (s *Session) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.state.Last != nil
}

// after calls f after this time, unless the Trigger is closed by then: an answer that comes in the middle of Close plans anew.
func (t *Trigger) after(wait time.Duration, f func()) *time.Timer {
	return time.AfterFunc(wait, func() {
		if !t.closed.Load() {
			f()
		}
	})
}

// Close stops all sessions and events as they are.
func (t *Trigger) Close() error {
	t.closed.Store(true)

	t.mu.Lock()
	sessions, events := slices.Collect(maps.Values(t.open)), slices.Collect(maps.Values(t.openEvents))
	t.mu.Unlock()

	for _, s := range sessions {
		s.mu.Lock()
		s.stop()
		s.mu.Unlock()
	}

	for _, e := range events {
		e.mu.Lock()
		e.stop()
		e.mu.Unlock()
	}

	var err error
	if t.journal != nil {
		err = t.journal.Close()
	}

	if t.eventJournal != nil {
		err = errors.Join(err, t.eventJournal.Close())
	}

	return err
}

// keep writes the state of the session, or its end. A session that was refused at once was never written. Called with the session's lock
// held.
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

	if err := t.journal.Keep(s.state.Key, kept{credit: s.state, State: after}); err != nil {
		t.log.Error("a charging session could not be written; it would be lost at a restart", "session_id", s.state.ID, "cause", err)
	}
}

// keep writes the state of the event, or its end. Called with the event's lock held.
func (e *Event) keep(before, after State) {
	t := e.trigger

	switch {
	case after == Idle && before != Idle:
		t.removeEvent(e)
		return
	case after == Idle:
		return
	case before == Idle:
		t.addEvent(e)
	}

	if t.eventJournal == nil {
		return
	}

	if err := t.eventJournal.Keep(e.state.ID, keptEvent{oneEvent: e.state, State: after}); err != nil {
		t.log.Error("a charged event could not be written; it would be lost at a restart", "session_id", e.state.ID, "cause", err)
	}
}

func (t *Trigger) addEvent(e *Event) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.openEvents[e.state.ID] = e
	t.sessions.Inc()
}

func (t *Trigger) removeEvent(e *Event) {
	t.mu.Lock()
	delete(t.openEvents, e.state.ID)
	t.sessions.Dec()
	t.mu.Unlock()

	if t.eventJournal == nil {
		return
	}

	if err := t.eventJournal.Forget(e.state.ID); err != nil {
		t.log.Error("the end of a charged event could not be written; a restart would settle it again", "session_id", e.state.ID, "cause", err)
	}
}

func (t *Trigger) add(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.open[s.state.ID] = s
	t.sessions.Inc()
}

// full reports whether more sessions and events are open than may wait for the OCS.
func (t *Trigger) full() bool {
	const limit = 200_000

	t.mu.Lock()
	defer t.mu.Unlock()

	return len(t.open)+len(t.openEvents) > limit
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

	if err := t.journal.Forget(key); err != nil {
		t.log.Error("the end of a charging session could not be written; a restart would report it again", "session_id", key, "cause", err)
	}
}
