package bearer

import (
	"maps"
	"slices"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pkg/journal"
)

const file = "bearers.jsonl"

// store saves sessions across restarts; it is a *journal.Journal.
type store interface {
	Keep(key string, r record) error
	Forget(key string) error
	Close() error
}

// Restore loads the sessions saved in a directory, and saves them there from now on. Their calls are not known any more: Resume ends them,
// and the signalling sessions that were not adopted before.
func (b *Bearers) Restore(directory string) error {
	j, all, err := journal.Open[record](directory, file, b.log)
	if err != nil {
		return err
	}

	b.restore(j, all)

	return nil
}

func (b *Bearers) restore(j store, all map[string]record) {
	b.journal = j

	for key, r := range all {
		if r.Key != key || r.State == Idle || r.State == Ended { // not written by us
			b.log.Warn("a kept bearer session cannot be read, and is left out", "session_id", key, "state", r.State)
			continue
		}

		if r.State == Granted && r.Leg.Signalling != "" {
			all := media.Signalling()
			s := &session{bearers: b, record: r, machine: b.machine.Start(Granted), needs: all, sent: all, held: all, had: all}
			b.add(s)
			b.left[r.Leg.Signalling] = s

			continue
		}

		r.State = Owed
		b.add(&session{bearers: b, record: r, machine: b.machine.Start(Owed)})
	}
}

// Resume ends the sessions left over from before a restart, once the authority can be reached.
func (b *Bearers) Resume() {
	b.mu.Lock()
	open := slices.Collect(maps.Values(b.open))
	clear(b.left)
	b.mu.Unlock()

	left := 0

	for _, s := range open {
		signal, restored := s.resumed()
		if restored {
			left++

			s.happen(signal, input{})
		}
	}

	if left > 0 {
		b.log.Info("bearer sessions of before the restart are ended", "count", left)
	}
}

// resumed returns the signal that ends a session from before a restart; false: a leg has adopted it.
func (s *session) resumed() (Signal, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.machine.State() == Granted {
		return LegOver, s.lost == nil
	}

	return RepeatElapsed, s.lost == nil
}

// Close stops, and leaves all sessions as they are.
func (b *Bearers) Close() error {
	b.stop()

	b.mu.Lock()
	b.closed = true
	open := slices.Collect(maps.Values(b.open))
	b.mu.Unlock()

	for _, s := range open {
		s.mu.Lock()
		s.stop()
		s.mu.Unlock()
	}

	b.work.Wait()

	if b.journal == nil {
		return nil
	}

	return b.journal.Close()
}

// keep saves the session as it is, or its end, before anything is sent. Called with the session's lock held.
func (s *session) keep(before, after State) {
	b := s.bearers
	s.record.State = after

	switch {
	case after == Idle || before == Ended:
		return
	case after == Ended:
		b.remove(s)
		return
	case before == Idle:
		b.add(s)
	default:
		b.rename(s)
	}

	if b.journal == nil {
		return
	}

	if err := b.journal.Keep(s.record.Key, s.record); err != nil {
		b.log.Error("a bearer session could not be written; after a restart it would stay at the PCRF or PCF",
			"session_id", s.record.ID, "cause", err)
	}
}

func (b *Bearers) add(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.open[s.record.Key] = s
	b.sessions.Inc()

	if s.record.ID != "" {
		b.ids[s.record.ID] = s
	}
}

// rename indexes the session by the name that the authority has given it.
func (b *Bearers) rename(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if s.record.ID != "" {
		b.ids[s.record.ID] = s
	}
}

// remove drops a session.
func (b *Bearers) remove(s *session) {
	b.mu.Lock()
	delete(b.open, s.record.Key)
	delete(b.ids, s.record.ID)
	b.unplace(s)
	b.sessions.Dec()
	b.mu.Unlock()

	if b.journal == nil {
		return
	}

	if err := b.journal.Forget(s.record.Key); err != nil {
		b.log.Error("the end of a bearer session could not be written; a restart would end it again", "session_id", s.record.Key, "cause", err)
	}
}
