// Package database opens a function's SQL database: a SQLite file, or a PostgreSQL server that other processes use too. Writers and
// readers have separate pools of connections, so that many readers cannot block the writers.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Config locates the database and says how it is used.
type Config struct {
	DSN      string        // "postgres://…", or the path of a SQLite file
	Writers  int           // connections of PostgreSQL that write; a file has one
	LockWait time.Duration // how long a statement waits for another process's lock on a file

	// Durable: what was committed to a file is on the disk, also after a loss of power (synchronous=FULL).
	Durable bool
	// ForeignKeys of a file are enforced.
	ForeignKeys bool
	// Cache is how many octets of a file the writer keeps in memory; 0: SQLite's 2 MB.
	Cache int
}

// Readers are the connections that read.
const (
	readersOfServer = 8
	readersOfFile   = 4
)

// Database is an open database. Statements are prepared for each connection, by pgx for PostgreSQL and by statements.go for a file.
// They are never prepared by gorm: its transactions can deadlock, when one waits for a statement that another goroutine prepares, and
// that goroutine waits for a connection of the same pool.
type Database struct {
	Write, Read *gorm.DB
	Shared      bool // a server that other processes use too

	alive  alive
	writer *statements // of a file
}

// Open opens a database, and creates the file if there is none.
func Open(c Config) (*Database, error) {
	d := &Database{alive: alive{turn: make(chan struct{}, 1)}}

	var err error
	if IsServer(c.DSN) {
		d.Shared = true
		err = d.openServer(c)
	} else {
		err = d.openFile(c)
	}

	if err == nil {
		err = d.Update(context.Background(), d.makeLiveness)
	}

	if err != nil {
		return nil, errors.Join(err, d.Close())
	}

	return d, nil
}

// oneAtATime is the key of the lock under which tables are created.
const oneAtATime = 0x6469616c6462

// Lock makes a transaction hold a key until it ends. It waits for the transactions of all processes that hold the same key. For a file
// it does nothing: a file has one writing transaction at a time.
func (d *Database) Lock(tx *gorm.DB, key int64) error {
	if !d.Shared {
		return nil
	}

	return tx.Exec("SELECT pg_advisory_xact_lock(?)", key).Error
}

// IsServer reports whether a DSN names a PostgreSQL server, and not a file.
func IsServer(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

func settings() *gorm.Config {
	return &gorm.Config{Logger: logger.Discard, SkipDefaultTransaction: true} // errors are returned, and logged once where they end
}

func (d *Database) openServer(c Config) (err error) {
	if d.Write, err = gorm.Open(postgres.Open(c.DSN), settings()); err != nil {
		return err
	}

	if err := limit(d.Write, c.Writers); err != nil {
		return err
	}

	if d.Read, err = gorm.Open(postgres.Open(c.DSN), settings()); err != nil {
		return err
	}

	return limit(d.Read, readersOfServer)
}

func (d *Database) openFile(c Config) (err error) {
	if err := private(c.DSN); err != nil {
		return err
	}

	if d.Write, d.writer, err = c.file("immediate", c.Cache); err != nil {
		return err
	}

	if err := limit(d.Write, 1); err != nil {
		return err
	}

	if d.Read, _, err = c.file("deferred", 0, "query_only(1)"); err != nil {
		return err
	}

	return limit(d.Read, readersOfFile)
}

// private creates the file with access for its owner alone. SQLite gives the files beside it the same permissions.
func private(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}

	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}

	if err := file.Close(); err != nil {
		return err
	}

	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Chmod(name, 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}

	return nil
}

func (c Config) file(lock string, cache int, pragmas ...string) (*gorm.DB, *statements, error) {
	synchronous := "NORMAL"
	if c.Durable {
		synchronous = "FULL"
	}

	if c.ForeignKeys {
		pragmas = append(pragmas, "foreign_keys(1)")
	}

	if cache > 0 {
		pragmas = append(pragmas, fmt.Sprintf("cache_size(-%d)", cache>>10))
	}

	// Times are text, all in UTC, so that they can be compared.
	query := url.Values{"_txlock": {lock}, "_time_format": {"sqlite"}, "_pragma": append([]string{
		fmt.Sprintf("busy_timeout(%d)", c.LockWait.Milliseconds()), "journal_mode(WAL)", "synchronous(" + synchronous + ")",
	}, pragmas...)}

	connector, err := remembering("file:" + c.DSN + "?" + query.Encode())
	if err != nil {
		return nil, nil, err
	}

	pool := sql.OpenDB(connector)

	db, err := gorm.Open(sqlite.Dialector{Conn: pool}, settings())
	if err != nil {
		return nil, nil, errors.Join(err, pool.Close())
	}

	return db, connector, nil
}

func limit(db *gorm.DB, connections int) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}

	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)

	return nil
}

// Close closes both pools.
func (d *Database) Close() error {
	var failed error

	for _, db := range []*gorm.DB{d.Write, d.Read} {
		if db == nil {
			continue
		}

		if pool, err := db.DB(); err == nil {
			failed = errors.Join(failed, pool.Close())
		}
	}

	return failed
}

// Version is a state of a file as the writer sees it: it differs when another process has written, or the writer's connection is a new one.
type Version struct{ connection, data int64 }

// Version returns the version that a transaction of the writer began with. What this process writes does not change it.
func (d *Database) Version(tx *gorm.DB) (v Version, err error) {
	v.connection = d.writer.opened.Load()
	err = tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context, "PRAGMA data_version").Scan(&v.data)

	return v, err
}

// Update runs f in a transaction of the pool that writes.
func (d *Database) Update(ctx context.Context, f func(tx *gorm.DB) error) error {
	return d.Write.WithContext(ctx).Transaction(f)
}

// Collided reports whether a server ended a transaction because it and another one waited for each other, so that it can be tried again.
func Collided(err error) bool {
	const deadlock, serialization = "40P01", "40001"

	var failure *pgconn.PgError

	return errors.As(err, &failure) && (failure.Code == deadlock || failure.Code == serialization)
}

// Snapshot runs f on one state of the database.
func (d *Database) Snapshot(ctx context.Context, f func(tx *gorm.DB) error) error {
	options := &sql.TxOptions{}
	if d.Shared {
		options.ReadOnly, options.Isolation = true, sql.LevelRepeatableRead
	}

	return d.Read.WithContext(ctx).Transaction(f, options)
}
