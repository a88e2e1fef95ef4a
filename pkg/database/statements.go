package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync/atomic"

	"modernc.org/sqlite"
)

// remembering opens connections to a SQLite file that cache their prepared statements: to parse a statement costs more than to run it.
func remembering(dsn string) (*statements, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}

	return &statements{Connector: connector}, nil
}

type statements struct {
	driver.Connector
	opened atomic.Int64 // connections so far
}

// Connect implements driver.Connector.
func (s *statements) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}

	own, ok := c.(whole)
	if !ok {
		return nil, errors.Join(errors.New("the driver of SQLite has changed its connections"), c.Close())
	}

	s.opened.Add(1)

	return &connection{whole: own, kept: map[string]statement{}}, nil
}

// whole lists the interfaces that the driver's connections implement.
type whole interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// connection is used by one goroutine at a time, as database/sql guarantees.
type connection struct {
	whole
	kept map[string]statement // that are not in use
}

// mostKept limits the cached statements of a connection: lists of varying length make many.
const mostKept = 256

// take returns a statement for one use. A statement with open rows must not be shared.
func (c *connection) take(ctx context.Context, query string) (statement, error) {
	if s, ok := c.kept[query]; ok {
		delete(c.kept, query)
		return s, nil
	}

	prepared, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}

	s, ok := prepared.(statement)
	if !ok {
		return nil, errors.Join(errors.New("the driver of SQLite has changed its statements"), prepared.Close())
	}

	return s, nil
}

// give returns a statement to the cache.
func (c *connection) give(query string, s statement) error {
	var failed error

	if other, ok := c.kept[query]; ok {
		failed = other.Close()
	}

	if len(c.kept) >= mostKept {
		for some, other := range c.kept { // any of them
			failed = errors.Join(failed, other.Close())
			delete(c.kept, some)

			break
		}
	}

	c.kept[query] = s

	return failed
}

// ExecContext runs a statement without rows.
func (c *connection) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}

	result, err := s.ExecContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}

	return result, c.give(query, s)
}

// QueryContext runs a statement with rows, which have it until they are closed.
func (c *connection) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}

	found, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}

	typed, ok := found.(columns)
	if !ok {
		return nil, errors.Join(errors.New("the driver of SQLite has changed its rows"), found.Close(), s.Close())
	}

	return &rows{columns: typed, done: func(failed bool) error {
		if failed {
			return s.Close()
		}

		return c.give(query, s)
	}}, nil
}

// Close ends the connection with its statements.
func (c *connection) Close() error {
	var failed error
	for _, s := range c.kept {
		failed = errors.Join(failed, s.Close())
	}

	clear(c.kept)

	return errors.Join(failed, c.whole.Close())
}

// columns lists the interfaces that the driver's rows implement.
type columns interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

type rows struct {
	columns
	done func(failed bool) error
}

// Close gives the statement back.
func (r *rows) Close() error {
	err := r.columns.Close()
	if r.done == nil {
		return err
	}

	err = errors.Join(err, r.done(err != nil))
	r.done = nil

	return err
}
