package credit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// reply is the answer given to a request, kept for duplicates (RFC 8506 §5: Session-Id, CC-Request-Type and CC-Request-Number identify
// them). It is written in the transaction that moves the money.
type reply struct {
	ID      uint64    `gorm:"primaryKey"` // in the order in which they were given
	Session string    `gorm:"uniqueIndex:answer_request"`
	Type    uint32    `gorm:"uniqueIndex:answer_request"`
	Number  uint32    `gorm:"uniqueIndex:answer_request"`
	Host    string    // of the network function that was answered; "" of an earlier OCS
	Realm   string    //
	Answer  string    // JSON
	At      time.Time //
}

// TableName returns a name that differs from the table of an earlier OCS.
func (reply) TableName() string { return "answers" }

// before returns the answer given to the same request before, to any network function, or nil.
func (b *batch) before(q *ro.CCR) (*reply, error) {
	key := answerKey{q.SessionID, uint32(q.Type), q.Number}
	if r := b.given[key]; r != nil {
		return r, nil
	}

	if q.Type != ro.Event {
		k, err := b.of(q.SessionID)
		if err != nil || int64(q.Number) > k.answered {
			return nil, err
		}
	}

	found, err := b.written.answers.Find(b.tx.DB, "WHERE session = ? AND type = ? AND number = ?", key.session, key.kind, key.number)
	if err != nil || len(found) == 0 {
		return nil, err
	}

	return found[0], nil
}

func (r *reply) answer() (*Answer, error) {
	answer := new(Answer)
	if err := json.Unmarshal([]byte(r.Answer), answer); err != nil {
		return nil, fmt.Errorf("the answer given before: %w", err)
	}

	return answer, nil
}

// keptAnswer is an answer with the resulting state of the session.
type keptAnswer struct {
	*Answer
	SessionState State
}

// remember saves an answer, replacing one given to somebody else.
func (b *batch) remember(q *ro.CCR, answer *Answer, state State, replaces bool) error {
	text, err := json.Marshal(keptAnswer{Answer: answer, SessionState: state})
	if err != nil {
		return err
	}

	key := answerKey{q.SessionID, uint32(q.Type), q.Number}
	if replaces {
		b.answers = slices.DeleteFunc(b.answers, func(r *reply) bool { return r == b.given[key] })
		b.instead = append(b.instead, key)
	}

	r := &reply{
		Session: q.SessionID,
		Type:    uint32(q.Type),
		Number:  q.Number,
		Host:    q.OriginHost,
		Realm:   q.OriginRealm,
		Answer:  string(text),
		At:      b.tx.Now(),
	}
	b.answers, b.given[key] = append(b.answers, r), r

	if k := b.sessions[q.SessionID]; k != nil {
		k.answered = max(k.answered, int64(q.Number))
	}

	return nil
}

// ended reports whether a Terminate of this network function left the session ended.
func (s *Server) ended(w *exchange) (bool, error) {
	if w.known.answered < 0 {
		return false, nil
	}

	terminate := uint32(ro.Terminate)

	all, err := w.batch.written.answers.Find(w.tx.DB, "WHERE session = ? AND type = ? LIMIT ?", w.q.SessionID, terminate, maxTerminates)
	for _, given := range w.batch.given {
		if given.Session == w.q.SessionID && given.Type == uint32(ro.Terminate) {
			all = append(all, given)
		}
	}

	return slices.ContainsFunc(all, func(r *reply) bool { return s.owns(w.q, r.Host, r.Realm) && r.ended() }), err
}

// ended reports whether the session was ended; an earlier OCS kept no state.
func (r *reply) ended() bool {
	var kept struct{ SessionState State }

	return json.Unmarshal([]byte(r.Answer), &kept) == nil && (kept.SessionState == Ended || kept.SessionState == "")
}

const maxTerminates = 16 // of one session that are read

// owns reports whether a request comes from the owner: the network function or, with credit.session_owner, the realm.
func (s *Server) owns(q *ro.CCR, host, realm string) bool {
	switch {
	case host == "": // saved by an OCS that did not record it
		return true
	case s.config.SessionOwner == ownerRealm:
		return strings.EqualFold(q.OriginRealm, realm)
	default:
		return strings.EqualFold(q.OriginHost, host)
	}
}
