package credit

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// Reply is the answer that was given to a request, kept for the same request again (RFC 8506 §5: Session-Id, CC-Request-Type and
// CC-Request-Number tell a duplicate). It is written in the transaction that moves the money.
type Reply struct {
	Session string    `gorm:"primaryKey"`
	Type    uint32    `gorm:"primaryKey;autoIncrement:false"`
	Number  uint32    `gorm:"primaryKey;autoIncrement:false"`
	Answer  string    // JSON
	At      time.Time `gorm:"index"`
}

// replied is the answer that this request was given before, or nil.
func replied(tx ledger.Tx, q *ro.CCR) (*Answer, error) {
	r := new(Reply)

	err := tx.Where("session = ? AND type = ? AND number = ?", q.SessionID, uint32(q.Type), q.Number).Take(r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}

	if err != nil {
		return nil, err
	}

	answer := new(Answer)
	if err := json.Unmarshal([]byte(r.Answer), answer); err != nil {
		return nil, fmt.Errorf("the answer given before: %w", err)
	}

	return answer, nil
}

func remember(tx ledger.Tx, q *ro.CCR, answer *Answer) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}

	return tx.Create(&Reply{Session: q.SessionID, Type: uint32(q.Type), Number: q.Number, Answer: string(text), At: time.Now().UTC()}).Error
}

// ended tells whether a Terminate of this session was served.
func ended(tx ledger.Tx, id string) (bool, error) {
	var n int64
	err := tx.Model(&Reply{}).Where("session = ? AND type = ?", id, uint32(ro.Terminate)).Limit(1).Count(&n).Error

	return n > 0, err
}
