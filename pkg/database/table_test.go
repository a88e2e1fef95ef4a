package database

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
)

// stock is a row of all kinds of columns.
type stock struct {
	ID    uint64 `gorm:"primaryKey"`
	Name  string `gorm:"uniqueIndex"`
	Parts []int  `gorm:"serializer:json"`
	Seen  time.Time
	Gone  *time.Time
	Count int64
}

// What a table writes is what gorm reads, and the other way round, for any number of rows.
func TestTable(t *testing.T) {
	each(t, func(t *testing.T, d *Database) {
		if err := d.Write.AutoMigrate(&stock{}); err != nil {
			t.Fatal(err)
		}
		table, err := NewTable[stock](d)
		if err != nil {
			t.Fatal(err)
		}

		now := time.Date(2026, 11, 29, 12, 0, 0, 123456000, time.UTC)
		rows := []*stock{{Name: "bare"}}
		names := []string{"nobody"}
		for i := range 150 {
			rows = append(rows, &stock{Name: fmt.Sprintf("%03d", i), Parts: []int{i, 1}, Seen: now, Gone: &now, Count: int64(i)})
			names = append(names, rows[i].Name)
		}
		update := func(f func(tx *gorm.DB) error) {
			t.Helper()
			if err := d.Update(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		update(func(tx *gorm.DB) error { return table.Insert(tx, rows) })

		var stored []*stock
		if err := d.Read.Order("id").Find(&stored).Error; err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			rows[i].ID = uint64(i + 1) // in their order
			for _, at := range []*time.Time{&stored[i].Seen, stored[i].Gone} {
				if at != nil {
					*at = at.UTC()
				}
			}
		}
		if !cmp.Equal(stored, rows) {
			t.Fatal(cmp.Diff(rows, stored))
		}

		for n := range len(names) {
			update(func(tx *gorm.DB) error {
				found, err := table.FindIn(tx, "name", names[:n], "ORDER BY id")
				if want := max(0, n-1); err != nil || len(found) != want {
					t.Errorf("%d rows of %d names, want %d: %v", len(found), n, want, err)
				}
				return nil
			})
		}

		update(func(tx *gorm.DB) error {
			rows[1].Count, rows[1].Gone = 1000, nil
			return table.Put(tx, []*stock{rows[1], {Name: "new", Count: 7}}, "name")
		})
		update(func(tx *gorm.DB) error {
			return table.Add(tx, "count", []Amount{{ID: rows[1].ID, Amount: -1}, {ID: rows[2].ID, Amount: 5}})
		})
		update(func(tx *gorm.DB) error { return table.Delete(tx, "name", names[10:]) })
		update(func(tx *gorm.DB) error {
			found, err := table.Find(tx, "WHERE count > ? ORDER BY name LIMIT ?", 5, 3)
			var got []string
			for _, row := range found {
				got = append(got, fmt.Sprint(row.Name, " ", row.Count, " ", row.Gone == nil, " ", len(row.Parts)))
			}
			if want := []string{"000 999 true 2", "001 6 false 2", "006 6 false 2"}; err != nil || !slices.Equal(got, want) {
				t.Errorf("%v, want %v: %v", got, want, err)
			}
			return nil
		})
	})
}

// A file's version differs when somebody else has written to it, and only then.
func TestVersion(t *testing.T) {
	d := open(t, file(t))
	version := func() (v Version) {
		t.Helper()
		err := d.Update(t.Context(), func(tx *gorm.DB) (err error) {
			v, err = d.Version(tx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}

		return v
	}

	first := version()
	if err := d.Write.Create(&word{Text: "ours"}).Error; err != nil {
		t.Fatal(err)
	}
	if v := version(); v != first {
		t.Errorf("%v after a row of our own, %v before", v, first)
	}

	other, err := Open(Config{DSN: path(t, d)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Write.Create(&word{Text: "theirs"}).Error; err != nil {
		t.Fatal(err)
	}
	second := version()
	if second == first {
		t.Error("another process has written, and nobody knows")
	}

	pool, err := d.Write.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxIdleConns(0) // the next transaction has a connection of its own
	version()
	if v := version(); v == second {
		t.Error("another connection tells nothing of before")
	}
}
