package credit

import (
	"slices"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/database"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// batch is what one transaction has done so far for the requests that it serves. It is written at their end, in few statements; each
// request sees what those before it have changed.
type batch struct {
	*written
	tx       ledger.Tx
	sessions map[string]*known

	changed []*known
	answers []*reply
	given   map[answerKey]*reply
	instead []answerKey // of answers given before to somebody else
	records []*CDR
}

// written are the tables that a batch writes.
type written struct {
	sessions *database.Table[Session]
	answers  *database.Table[reply]
	records  *database.Table[CDR]
}

func newWritten(db *database.Database) (*written, error) {
	var (
		t   written
		err error
	)

	if t.sessions, err = database.NewTable[Session](db); err != nil {
		return nil, err
	}

	if t.answers, err = database.NewTable[reply](db); err != nil {
		return nil, err
	}

	t.records, err = database.NewTable[CDR](db)

	return &t, err
}

// known is what is known of a Session-Id.
type known struct {
	id       string
	session  *Session // nil: none is open
	row      bool     // the database has it
	changed  bool     // and differs
	answered int64    // no request with a higher number was answered; -1: none at all
}

type answerKey struct {
	session      string
	kind, number uint32
}

// mostSessions is how many sessions are kept between transactions.
const mostSessions = 1 << 15

// newBatch begins a batch with the sessions that are known from the batches before it.
func (s *Server) newBatch(tx ledger.Tx) (*batch, error) {
	sessions, err := ledger.Memo(tx, "sessions", func() (map[string]*known, error) { return map[string]*known{}, nil })
	if len(sessions) > mostSessions {
		clear(sessions)
	}

	return &batch{written: s.written, tx: tx, sessions: sessions, given: map[answerKey]*reply{}}, err
}

// foresee reads what requests will need, in few statements.
func (b *batch) foresee(all []*ro.CCR) error {
	var ids, names, uris []string

	for _, q := range all {
		if q.Type != ro.Event {
			ids = append(ids, q.SessionID)
		}

		if q.Type == ro.Event || q.Type == ro.Initial {
			uris = append(uris, identities(q)...)
		}
	}

	if err := b.read(ids); err != nil {
		return err
	}

	for _, id := range ids {
		if session := b.sessions[id].session; session != nil {
			names = append(names, session.Account)
		}
	}

	return b.tx.Foresee(names, uris)
}

// read reads what is to be known of Session-Ids.
func (b *batch) read(ids []string) error {
	var unknown []string

	for _, id := range ids {
		if b.sessions[id] == nil {
			unknown = append(unknown, id)
			b.sessions[id] = &known{id: id, answered: -1}
		}
	}

	open, err := b.written.sessions.FindIn(b.tx.DB, "id", unknown, "")
	if err != nil {
		return err
	}

	for _, session := range open {
		k := b.sessions[session.ID]
		k.session, k.row = session, true
	}

	for part := range slices.Chunk(unknown, 64) {
		var last []struct {
			Session string
			Number  int64
		}

		err := b.tx.Model(&reply{}).Select("session, MAX(number) AS number").Where("session IN ?", part).Group("session").Scan(&last).Error
		if err != nil {
			return err
		}

		for _, l := range last {
			b.sessions[l.Session].answered = l.Number
		}
	}

	return nil
}

// of returns what is known of a Session-Id.
func (b *batch) of(id string) (*known, error) {
	if k := b.sessions[id]; k != nil {
		return k, nil
	}

	if err := b.read([]string{id}); err != nil {
		return nil, err
	}

	return b.sessions[id], nil
}

// change notes that a session is another now; nil: it has ended.
func (b *batch) change(k *known, session *Session) {
	k.session = session
	if !k.changed {
		k.changed = true
		b.changed = append(b.changed, k)
	}
}

// write writes what the requests so far have changed, so that queries find it.
func (b *batch) write() error {
	var (
		open  []*Session
		ended []string
	)

	for _, k := range b.changed {
		switch {
		case k.session != nil:
			open = append(open, k.session)
		case k.row:
			ended = append(ended, k.id)
		}

		k.row, k.changed = k.session != nil, false
	}

	if err := b.written.sessions.Put(b.tx.DB, open, "id"); err != nil {
		return err
	}

	if err := b.written.sessions.Delete(b.tx.DB, "id", ended); err != nil {
		return err
	}

	for _, k := range b.instead {
		if err := b.tx.Where("session = ? AND type = ? AND number = ?", k.session, k.kind, k.number).Delete(&reply{}).Error; err != nil {
			return err
		}
	}

	if err := b.written.answers.Insert(b.tx.DB, b.answers); err != nil {
		return err
	}

	if err := b.written.records.Insert(b.tx.DB, b.records); err != nil {
		return err
	}

	b.changed, b.answers, b.instead, b.records = nil, nil, nil, nil

	return nil
}

// close writes the rest. Of sessions that have ended nothing is kept: only their own network function comes back to them, and seldom.
func (b *batch) close() error {
	changed := b.changed
	if err := b.write(); err != nil {
		return err
	}

	for _, k := range changed {
		if k.session == nil {
			delete(b.sessions, k.id)
		}
	}

	return nil
}

// save saves a record with the rest of the batch.
func (w *exchange) save(r *CDR) { w.batch.records = append(w.batch.records, r) }
