package database

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// liveness is the row that is written to learn whether anything can be.
type liveness struct {
	ID uint8 `gorm:"primaryKey;autoIncrement:false"`
	At time.Time
}

// TableName says what the table is for to those who look into the database.
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

// alive is what came of the last write, so that those who ask often do not write often.
type alive struct {
	turn chan struct{} // held by the one who writes
	at   time.Time
	err  error
}

// believed is how long the outcome of a write is good.
const believed = time.Second

// Alive reports whether the database can be read and written: not when its disk is full, another process holds its lock, or the
// server is a standby.
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
