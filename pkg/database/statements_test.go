package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"testing"

	"gorm.io/gorm"
)

type execer interface {
	driver.ExecerContext
	driver.QueryerContext
}

var immediate = driver.TxOptions{}

// path is where the file of a database is.
func path(t *testing.T, d *Database) (name string) {
	t.Helper()

	if err := d.Write.Raw("SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&name).Error; err != nil {
		t.Fatal(err)
	}

	return name
}

// conn is one connection with the words in it.
func conn(t *testing.T) *connection {
	t.Helper()

	connector, err := remembering("file:" + path(t, open(t, file(t))))
	if err != nil {
		t.Fatal(err)
	}
	c, err := connector.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })

	return c.(*connection)
}

func (c *connection) rows(t *testing.T, query string, arguments ...driver.NamedValue) driver.Rows {
	t.Helper()

	r, err := c.QueryContext(t.Context(), query, arguments)
	if err != nil {
		t.Fatal(err)
	}

	return r
}

func drain(t *testing.T, r driver.Rows) (n int) {
	t.Helper()

	values := make([]driver.Value, len(r.Columns()))
	for {
		err := r.Next(values)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil { // twice, as a caller may
		t.Fatal(err)
	}

	return n
}

func TestStatementsAreKept(t *testing.T) {
	const query = "SELECT * FROM words WHERE id > ?"

	c := conn(t)
	above := driver.NamedValue{Ordinal: 1, Value: int64(1)}
	first := c.rows(t, query, above)
	if len(c.kept) != 0 {
		t.Error("a statement in use is there for others")
	}
	second := c.rows(t, query, above) // while the rows of the first are open
	if n := drain(t, first); n != 2 {
		t.Errorf("%d rows", n)
	}
	kept := c.kept[query]
	if n := drain(t, second); n != 2 || len(c.kept) != 1 {
		t.Errorf("%d rows, %d kept", n, len(c.kept))
	}
	drain(t, c.rows(t, query, above))
	if kept == nil || len(c.kept) != 1 {
		t.Error("prepared anew")
	}

	if _, err := c.ExecContext(t.Context(), "ALTER TABLE words ADD COLUMN language TEXT DEFAULT 'en'", nil); err != nil {
		t.Fatal(err)
	}
	after := c.rows(t, query, above)
	if n := len(after.Columns()); n != 3 {
		t.Errorf("%d columns after the table has changed", n)
	}
	drain(t, after)
}

func TestAFailedStatementIsNotKept(t *testing.T) {
	c := conn(t)
	if _, err := c.ExecContext(t.Context(), "INSERT INTO words (id, text) VALUES (1, 'again')", nil); err == nil || len(c.kept) != 0 {
		t.Errorf("%v, %d kept", err, len(c.kept))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.QueryContext(ctx, "SELECT 1", nil); !errors.Is(err, context.Canceled) || len(c.kept) != 0 {
		t.Errorf("%v, %d kept", err, len(c.kept))
	}
}

func TestStatementsAreBounded(t *testing.T) {
	c := conn(t)
	for i := range 2 * mostKept {
		drain(t, c.rows(t, fmt.Sprint("SELECT ", i)))
	}
	if len(c.kept) != mostKept {
		t.Errorf("%d kept", len(c.kept))
	}
}

func BenchmarkLookup(b *testing.B) {
	d, err := Open(Config{DSN: b.TempDir() + "/test.db"})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := errors.Join(d.Write.AutoMigrate(&word{}), d.Write.Create(&word{Text: "one"}).Error); err != nil {
		b.Fatal(err)
	}

	for b.Loop() {
		err := d.Snapshot(b.Context(), func(tx *gorm.DB) error {
			var found []word
			return tx.Where("text = ?", "one").Limit(1).Find(&found).Error
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
