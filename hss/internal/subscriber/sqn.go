package subscriber

import (
	"context"
	"errors"
	"fmt"
)

// Sequence numbers are SEQ||IND with an IND of five bits (TS 33.102 annex C.1.1.1, C.3.2). Every HSS that shares a SIM gives
// out numbers of its own INDs, so that two of them never make each other's stale. SEQ is counted for all uses of a SIM together, and each
// use has its own IND: a vector for IMS that waits while the SIM attaches is as good as before.
const (
	indBits = 5
	maxSEQ  = 1<<(48-indBits) - 1
)

// Use is the use of a vector.
type Use uint64

// The uses of a SIM, by the interface that asks.
const (
	Cx Use = iota
	S6a
	SWx
)

// indOf returns the IND of a use. Those of one HSS are 8 apart, so that HSSs with other INDs modulo 8 share none.
func (s *Store) indOf(use Use) uint64 { return (s.ind + 8*uint64(use)) & (1<<indBits - 1) }

// errSQNExhausted is returned when the sequence numbers of a SIM are used up: it has to be replaced.
var errSQNExhausted = errors.New("the sequence numbers are used up")

// NextSQN allocates count sequence numbers, one per vector, and returns them in the order of use. None was given out before and none will
// be again, whatever happens to the process. The private identity belongs to the subscription.
func (t *Tx) NextSQN(s *Subscription, p *PrivateIdentity, use Use, count int) ([]uint64, error) {
	var last []uint64

	t.moved = append(t.moved, s) // the cache has the number, too

	err := t.db.Raw(`UPDATE private_identities SET sqn = (((sqn >> 5) + ?) << 5) | ? WHERE id = ? AND (sqn >> 5) + ? <= ? RETURNING sqn`,
		count, t.store.indOf(use), p.ID, count, uint64(maxSEQ)).Scan(&last).Error

	switch {
	case err != nil:
		return nil, fmt.Errorf("next SQN of %s: %w", p.Identity, err)
	case len(last) == 0:
		return nil, fmt.Errorf("next SQN of %s: %w", p.Identity, errSQNExhausted)
	}

	numbers := make([]uint64, count)
	for i := range numbers {
		numbers[i] = last[0] - uint64(count-1-i)<<indBits
	}

	p.SQN = last[0]

	return numbers, nil
}

// SetSQN records that the SIM is at this sequence number (TS 33.102 §6.3.5).
func (t *Tx) SetSQN(p *PrivateIdentity, sqn uint64) error {
	t.provisioned = true // the caller may hold another copy of the identity than the cache will

	if err := t.db.Model(p).Update("sqn", sqn).Error; err != nil {
		return fmt.Errorf("set SQN of %s: %w", p.Identity, err)
	}

	return nil
}

// lostVectors is more vectors than a SIM can get between two syncs of SQLite's log to the disk.
const lostVectors = 1024

// recoverSQN skips the numbers that a power failure may have removed from the file: the last commits of a WAL with synchronous=NORMAL can
// be lost, and a number must not be used twice.
func (s *Store) recoverSQN(ctx context.Context) error {
	if !s.file {
		return nil // PostgreSQL loses no commit
	}

	db := s.db.Write.WithContext(ctx)

	var last []mark
	if err := db.Where("name = ? AND value = ?", running, "yes").Find(&last).Error; err != nil {
		return fmt.Errorf("subscriber database: %w", err)
	}

	if len(last) > 0 {
		step := db.Exec(`UPDATE private_identities SET sqn = sqn + ? WHERE (sqn >> 5) + ? <= ?`,
			lostVectors<<indBits, lostVectors, uint64(maxSEQ))
		if step.Error != nil {
			return fmt.Errorf("subscriber database: %w", step.Error)
		}

		s.log.Info("the last run did not end cleanly: sequence numbers stepped over those that may be lost",
			"identities", step.RowsAffected, "step", lostVectors)

		if err := queueResets(db); err != nil {
			return fmt.Errorf("subscriber database: %w", err)
		}
	}

	if err := db.Save(&mark{Name: running, Value: "yes"}).Error; err != nil {
		return fmt.Errorf("subscriber database: %w", err)
	}

	return nil
}
