package credit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// reply is the answer given to a request, kept for duplicates (RFC 8506 §5: Session-Id, CC-Request-Type and CC-Request-Number identify
// them). It is written in the transaction that moves the money.
type reply struct {
	Session string    `gorm:"primaryKey"`
	Type    uint32    `gorm:"primaryKey;autoIncrement:false"`
	Number  uint32    `gorm:"primaryKey;autoIncrement:false"`
	Host    string    // of the network function that was answered; "" of an earlier OCS
	Realm   string    //
	Answer  string    // JSON
	At      time.Time `gorm:"index"`
}

// before returns the answer given to the same request before, to any network function, or nil.
func before(tx ledger.Tx, q *ro.CCR) (*reply, error) {
	r := new(reply)

	err := tx.Where("session = ? AND type = ? AND number = ?", q.SessionID, uint32(q.Type), q.Number).Take(r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}

	return r, err
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
func remember(tx ledger.Tx, q *ro.CCR, answer *Answer, state State) error {
	text, err := json.Marshal(keptAnswer{Answer: answer, SessionState: state})
	if err != nil {
		return err
	}

	return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&reply{
		Session: q.SessionID,
		Type:    uint32(q.Type),
		Number:  q.Number,
		Host:    q.OriginHost,
		Realm:   q.OriginRealm,
		Answer:  string(text),
		At:      tx.Now(),
	}).Error
}

// ended reports whether a Terminate of this network function left the session ended.
func (s *Server) ended(tx ledger.Tx, q *ro.CCR) (bool, error) {
	var all []reply

	terminates := tx.Select("host", "realm", "answer").Where("session = ? AND type = ?", q.SessionID, uint32(ro.Terminate))
	err := terminates.Limit(maxTerminates).Find(&all).Error

	return slices.ContainsFunc(all, func(r reply) bool { return s.owns(q, r.Host, r.Realm) && r.ended() }), err
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
