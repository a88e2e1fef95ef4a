package subscriber

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Push is a request from the HSS to an S-CSCF that is kept until it has been answered or given up: what the S-CSCF is to
// know must not be lost with a connection or a process.
type Push struct {
	ID      uint64 `gorm:"primaryKey"`
	Command PushCommand

	ServerHost        string // Diameter identity of the S-CSCF
	PrivateIdentity   string
	OtherIdentities   []string `gorm:"serializer:json"` // private identities that an RTR also ends
	PublicIdentities  []string `gorm:"serializer:json"` // that an RTR ends, none for all; of a PPR, an identity of the set
	Reason            uint32   // Reason-Code of an RTR
	Info              string   // Reason-Info of an RTR
	Created, Finished time.Time

	State    PushState `gorm:"index"`
	Attempts int
	Next     time.Time // of the next attempt
	Result   string    // what came of the last attempt
}

// PushCommand is the command to be sent.
type PushCommand string

const (
	PPR PushCommand = "PPR"
	RTR PushCommand = "RTR"
)

// PushState is how far a push is.
type PushState string

const (
	PushPending   PushState = "pending"
	PushDelivered PushState = "delivered" // the S-CSCF did it
	PushRefused   PushState = "refused"   // the S-CSCF answered that it will not
	PushFailed    PushState = "failed"    // no answer within the attempts
)

// Queue records a push; it is sent once the transaction is complete.
func (t *Tx) Queue(p *Push) error {
	p.Created, p.State, p.Next = time.Now().UTC(), PushPending, time.Now().UTC()
	if err := t.db.Create(p).Error; err != nil {
		return fmt.Errorf("queue %s for %s: %w", p.Command, p.PrivateIdentity, err)
	}

	return nil
}

// Due are the pushes to be sent now, in their order, and the time of the next one after them (zero: none).
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]*Push, time.Time, error) {
	var due []*Push

	db := s.read.WithContext(ctx)
	if err := db.Where("state = ? AND next <= ?", PushPending, now.UTC()).Order("id").Limit(limit).Find(&due).Error; err != nil {
		return nil, time.Time{}, fmt.Errorf("pushes: %w", err)
	}

	var later []*Push
	if err := db.Where("state = ? AND next > ?", PushPending, now.UTC()).Order("next").Limit(1).Find(&later).Error; err != nil {
		return nil, time.Time{}, fmt.Errorf("pushes: %w", err)
	}

	if len(later) == 0 {
		return due, time.Time{}, nil
	}

	return due, later[0].Next, nil
}

// SavePush records what came of an attempt.
func (s *Store) SavePush(ctx context.Context, p *Push) error {
	if err := s.write.WithContext(ctx).Save(p).Error; err != nil {
		return fmt.Errorf("push %d: %w", p.ID, err)
	}

	return nil
}

// Pushes lists the newest first.
func (s *Store) Pushes(ctx context.Context, limit int) ([]*Push, error) {
	var pushes []*Push
	if err := s.read.WithContext(ctx).Order("id DESC").Limit(limit).Find(&pushes).Error; err != nil {
		return nil, fmt.Errorf("pushes: %w", err)
	}

	return pushes, nil
}

// ForgetPushes deletes finished pushes that are older than a time.
func (s *Store) ForgetPushes(ctx context.Context, before time.Time) error {
	return s.transaction(ctx, func(tx *gorm.DB) error {
		return tx.Where("state <> ? AND finished < ?", PushPending, before.UTC()).Delete(&Push{}).Error
	})
}
