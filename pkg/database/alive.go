package database

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// liveness is the row that Alive writes.
type liveness struct {
	ID uint8 `gorm:"primaryKey;autoIncrement:false"`
	At time.Time
}

// TableName implements gorm's Tabler.
func (liveness) TableName() string { return "liveness" }

func (d *Database) makeLiveness(tx *gorm.DB) error {
	if err := d.Lock(tx, oneAtATime); err != nil {
		return err
	}

	if tx.Migrator().HasTable(&liveness{}) {
		return nil
	}

	return tx.Migrator().CreateTable(&liveness{})
}

// alive caches the outcome of the last write, so that frequent calls do not write often.
type alive struct {
	turn chan struct{} // held by the one who writes
	at   time.Time
	err  error
}

// believed is how long the outcome of a write is cached.
const believed = time.Second

// Alive returns an error if the database cannot be read and written: its disk is full, another process holds its lock, or the server is
// a standby.
func (d *Database) Alive(ctx context.Context) error {
	var one int
	if err := d.Read.WithContext(ctx).Raw("SELECT 1").Scan(&one).Error; err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}

	select {
	case d.alive.turn <- struct{}{}:
		defer func() { <-d.alive.turn }()
	case <-ctx.Done():
		return fmt.Errorf("cannot be written: %w", ctx.Err())
	}

	if time.Since(d.alive.at) < believed {
		return d.alive.err
	}

	row := liveness{ID: 1, At: time.Now().UTC()}

	err := d.Write.WithContext(ctx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
	if err != nil {
		err = fmt.Errorf("cannot be written: %w", err)
	}

	d.alive.at, d.alive.err = time.Now(), err

	return err
}
