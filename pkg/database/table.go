package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// Table reads and writes the rows of one type by statements that are made once, many rows in each. gorm makes every statement anew, which
// takes longer than to run it; columns, serializers and the transactions are gorm's.
type Table[T any] struct {
	name     string
	server   bool
	columns  []*schema.Field
	inserted []*schema.Field // all but what the database numbers itself
	reading  string          // "SELECT …"
	made     sync.Map        // statements, by what they are made of
}

// NewTable returns the table of T.
func NewTable[T any](d *Database) (*Table[T], error) {
	statement := &gorm.Statement{DB: d.Write}
	if err := statement.Parse(new(T)); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}

	t := &Table[T]{name: statement.Schema.Table, server: d.Shared}

	for _, name := range statement.Schema.DBNames {
		column := statement.Schema.FieldsByDBName[name]
		t.columns = append(t.columns, column)

		if !column.AutoIncrement {
			t.inserted = append(t.inserted, column)
		}
	}

	t.reading = "SELECT " + strings.Join(namesOf(t.columns), ", ") + " FROM " + t.name + " "

	return t, nil
}

// part is what a statement is made of, besides the table: its text, or where that differs, and the number of rows or values.
type part struct {
	text string
	size int
}

// statement returns a statement, made once.
func (t *Table[T]) statement(of part, build func() string) string {
	if known, ok := t.made.Load(of); ok {
		return known.(string)
	}

	text := build()
	if t.server {
		text = numbered(text)
	}

	t.made.Store(of, text)

	return text
}

// list returns a list of n parameters of a statement: (?, ?).
func list(n int) string { return "(" + strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")" }

func namesOf(columns []*schema.Field) (names []string) {
	for _, column := range columns {
		names = append(names, `"`+column.DBName+`"`)
	}

	return names
}

// sizes are the numbers of rows, or of values in a list, that one statement takes: few statements are made, and each is prepared once.
var sizes = []int{64, 8, 1}

// chunks calls f with parts of all, in their order, whose lengths are sizes.
func chunks[E any](all []E, f func(some []E) error) error {
	for _, size := range sizes {
		for len(all) >= size {
			if err := f(all[:size]); err != nil {
				return err
			}

			all = all[size:]
		}
	}

	return nil
}

// Find returns the rows that a condition selects, which is all that follows FROM: "WHERE id = ?".
func (t *Table[T]) Find(tx *gorm.DB, condition string, arguments ...any) (found []*T, err error) {
	return t.find(tx, t.statement(part{condition, 0}, func() string { return t.reading + condition }), arguments)
}

func (t *Table[T]) find(tx *gorm.DB, statement string, arguments []any) (found []*T, err error) {
	ctx := tx.Statement.Context

	rows, err := tx.Statement.ConnPool.QueryContext(ctx, statement, arguments...)
	if err != nil {
		return nil, fmt.Errorf("database: %s: %w", t.name, err)
	}

	found, err = t.scan(ctx, rows)
	if err = errors.Join(err, rows.Close()); err != nil {
		return nil, fmt.Errorf("database: %s: %w", t.name, err)
	}

	return found, nil
}

// FindIn returns the rows whose column has one of these values. Behind is what follows the list: "ORDER BY id".
func (t *Table[T]) FindIn(tx *gorm.DB, column string, values []string, behind string) (found []*T, err error) {
	for len(values) > 0 {
		size := sizes[len(sizes)-1]
		for _, larger := range sizes {
			if larger >= len(values) || larger == sizes[0] {
				size = larger
			}
		}

		some := values[:min(size, len(values))]
		values = values[len(some):]

		arguments := anys(some)
		for len(arguments) < size { // a value that stands there twice is found once
			arguments = append(arguments, arguments[0])
		}

		rows, err := t.find(tx, t.statement(part{column + " " + behind, size}, func() string {
			return t.reading + "WHERE " + column + " IN " + list(size) + " " + behind
		}), arguments)
		if err != nil {
			return nil, err
		}

		found = append(found, rows...)
	}

	return found, nil
}

func (t *Table[T]) scan(ctx context.Context, rows *sql.Rows) (found []*T, err error) {
	values := make([]any, len(t.columns))

	for rows.Next() {
		for i, column := range t.columns {
			values[i] = column.NewValuePool.Get()
		}

		if err := rows.Scan(values...); err != nil {
			return nil, err
		}

		row := new(T)
		into := reflect.ValueOf(row).Elem()

		for i, column := range t.columns {
			if err := column.Set(ctx, into, values[i]); err != nil {
				return nil, err
			}

			column.NewValuePool.Put(values[i])
		}

		found = append(found, row)
	}

	return found, rows.Err()
}

// Insert adds rows, in their order. A column that the database numbers is left to it, and stays as it is in the rows given.
func (t *Table[T]) Insert(tx *gorm.DB, rows []*T) error { return t.put(tx, rows, "") }

// Put adds rows, or replaces those with the same key, which is one column.
func (t *Table[T]) Put(tx *gorm.DB, rows []*T, key string) error { return t.put(tx, rows, key) }

func (t *Table[T]) put(tx *gorm.DB, rows []*T, key string) error {
	ctx := tx.Statement.Context
	arguments := make([]any, 0, min(len(rows), sizes[0])*len(t.inserted))

	return chunks(rows, func(some []*T) error {
		arguments = arguments[:0]

		for _, row := range some {
			from := reflect.ValueOf(row).Elem()
			for _, column := range t.inserted {
				value, _ := column.ValueOf(ctx, from)
				arguments = append(arguments, value)
			}
		}

		statement := t.statement(part{"INSERT " + key, len(some)}, func() string { return t.inserting(len(some)) + t.replacing(key) })
		if _, err := tx.Statement.ConnPool.ExecContext(ctx, statement, arguments...); err != nil {
			return fmt.Errorf("database: %s: %w", t.name, err)
		}

		return nil
	})
}

func (t *Table[T]) inserting(rows int) string {
	return "INSERT INTO " + t.name + " (" + strings.Join(namesOf(t.inserted), ", ") + ") VALUES " +
		strings.TrimSuffix(strings.Repeat(list(len(t.inserted))+", ", rows), ", ")
}

func (t *Table[T]) replacing(key string) string {
	if key == "" {
		return ""
	}

	var sets []string

	for _, column := range t.inserted {
		if column.DBName != key {
			sets = append(sets, `"`+column.DBName+`" = excluded."`+column.DBName+`"`)
		}
	}

	return " ON CONFLICT (" + key + ") DO UPDATE SET " + strings.Join(sets, ", ")
}

// Delete removes the rows whose column has one of these values.
func (t *Table[T]) Delete(tx *gorm.DB, column string, values []string) error {
	return chunks(values, func(some []string) error {
		statement := t.statement(part{"DELETE " + column, len(some)}, func() string {
			return "DELETE FROM " + t.name + " WHERE " + column + " IN " + list(len(some))
		})
		if _, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, statement, anys(some)...); err != nil {
			return fmt.Errorf("database: %s: %w", t.name, err)
		}

		return nil
	})
}

func anys(texts []string) []any {
	all := make([]any, len(texts))
	for i := range texts {
		all[i] = texts[i]
	}

	return all
}

// numbered writes each ? of a statement for a server as $1, $2, ….
func numbered(statement string) string {
	parts := strings.Split(statement, "?")
	b := make([]byte, 0, len(statement)+4*len(parts))

	for i, part := range parts {
		if i > 0 {
			b = strconv.AppendInt(append(b, '$'), int64(i), 10)
		}

		b = append(b, part...)
	}

	return string(b)
}

// Add adds amounts to a column of rows, by id. They are updated in this order.
func (t *Table[T]) Add(tx *gorm.DB, column string, amounts []Amount) error {
	ctx, pool := tx.Statement.Context, tx.Statement.ConnPool

	if !t.server {
		statement := "UPDATE " + t.name + " SET " + column + " = " + column + " + ? WHERE id = ?"
		for _, a := range amounts {
			if _, err := pool.ExecContext(ctx, statement, a.Amount, a.ID); err != nil {
				return fmt.Errorf("database: %s: %w", t.name, err)
			}
		}

		return nil
	}

	return chunks(amounts, func(some []Amount) error {
		ids, values := make([]int64, len(some)), make([]int64, len(some))
		for i, a := range some {
			ids[i], values[i] = int64(a.ID), a.Amount
		}

		_, err := pool.ExecContext(ctx, "UPDATE "+t.name+" SET "+column+" = "+t.name+"."+column+" + new.amount "+
			"FROM unnest($1::bigint[], $2::bigint[]) AS new (id, amount) WHERE "+t.name+".id = new.id", ids, values)
		if err != nil {
			return fmt.Errorf("database: %s: %w", t.name, err)
		}

		return nil
	})
}

// Amount is what is added to a row.
type Amount struct {
	ID     uint64
	Amount int64
}
