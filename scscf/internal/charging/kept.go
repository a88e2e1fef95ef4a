package charging

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/journal"
)

const file = "charging.jsonl"

// Restore brings back the sessions that were kept in a directory, and keeps them there from now on. They do nothing before
// Resume.
func (t *Trigger) Restore(directory string) error {
	j, kept, err := journal.Open[state](directory, file, t.log)
	if err != nil {
		return err
	}

	t.journal = j

	t.kept = map[string]*Session{}

	for key, st := range kept {
		if st.Key != key { // not written by us
			t.log.Warn("a kept charging session has another name than its own", "session", key)
			continue
		}

		s := &Session{trigger: t, state: st, settling: st.Last != nil}
		t.kept[key] = s
		t.restored = append(t.restored, s)
		t.add(s)
	}

	return nil
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
		if ctx.Err() != nil {
			return
		}

		switch {
		case s.settling:
			s.settle(time.Now().Add(t.config.Settle))
		case s.release == nil:
			s.End(Internal)
		default:
			s.mu.Lock()
			s.plan()
			s.mu.Unlock()
		}
	}
}

// Close stops all sessions as they are.
func (t *Trigger) Close() error {
	t.mu.Lock()
	open := slices.Collect(maps.Values(t.open))
	t.mu.Unlock()

	for _, s := range open {
		s.mu.Lock()
		if s.timer != nil {
			s.timer.Stop()
		}
		s.mu.Unlock()
	}

	if t.journal == nil {
		return nil
	}

	return t.journal.Close()
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
		t.log.Error("the end of a charging session could not be written; a restart would report it again", "session", key, "error", err)
	}
}

// keep writes the session as it is. Called with the session's lock held, before what it says happens.
func (s *Session) keep() {
	if s.trigger.journal == nil {
		return
	}

	if err := s.trigger.journal.Put(s.state.Key, s.state); err != nil {
		s.trigger.log.Error("a charging session could not be written; it would be lost at a restart", "session", s.state.ID, "error", err)
	}
}

// Reauthorise is what a RAR asks for (RFC 8506 §5.5): the session reports and asks for credit anew.
func (t *Trigger) Reauthorise(_ context.Context, q *ro.RAR) (*ro.RAA, error) {
	s := t.session(q.SessionID)
	if s == nil || s.unknown() {
		return nil, ro.UnknownSessionID
	}

	a := &ro.RAA{}
	a.Result = ro.LimitedSuccess

	s.mu.Lock()
	answered := !s.state.Answered.IsZero()
	s.mu.Unlock()

	if answered {
		go s.update() // bounded by the OCS's requests in work; it waits for the one that is on its way
	}

	return a, nil
}

const aborted = "the OCS ends the session"

// Abort is what an ASR asks for (RFC 6733 §8.5): the call ends.
func (t *Trigger) Abort(_ context.Context, q *ro.ASR) (*ro.ASA, error) {
	s := t.session(q.SessionID)
	if s == nil || s.release == nil {
		return nil, ro.UnknownSessionID
	}

	go s.release(aborted, Normal.Because(`SIP;cause=480;text="`+aborted+`"`))

	a := &ro.ASA{}
	a.Result = ro.Success

	return a, nil
}

// unknown tells a session that the OCS itself has let go.
func (s *Session) unknown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.state.Waived && !s.state.Begun
}

func (t *Trigger) session(id string) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.open[id]
}
