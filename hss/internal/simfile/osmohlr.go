package simfile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // osmo-hlr's database
)

// sqliteMagic is the beginning of an SQLite database.
const sqliteMagic = "SQLite format 3\x00"

// milenage is osmo-hlr's number for it (enum osmo_auth_algo).
const milenage = 5

// maxRows is more than an HLR has subscribers.
const maxRows = 10_000_000

// readOsmoHLR reads hlr.db, of so many rows at most.
func readOsmoHLR(ctx context.Context, f File, most int, sim func(SIM) error, leftOut func(int, string)) error {
	folder, err := os.MkdirTemp("", "hlr") // so that the HLR's own file has no journal of ours beside it
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)

	copied := filepath.Join(folder, "hlr.db")
	if err := os.WriteFile(copied, f.text, 0o600); err != nil {
		return err
	}

	db, err := sql.Open("sqlite", "file:"+copied)
	if err != nil {
		return err
	}
	defer db.Close()

	if err := areTables(ctx, db); err != nil {
		return fmt.Errorf("it is no database of osmo-hlr: %w", err)
	}

	found, err := db.QueryContext(ctx, `SELECT subscriber.id, imsi, coalesce(msisdn, ''), algo_id_3g, coalesce(k, ''), coalesce(op, ''),
		coalesce(opc, ''), coalesce(sqn, 0) FROM subscriber LEFT JOIN auc_3g ON subscriber_id = subscriber.id ORDER BY subscriber.rowid`)
	if err != nil {
		return fmt.Errorf("it is no database of osmo-hlr: %w", err)
	}
	defer found.Close()

	for rows := 0; found.Next(); rows++ {
		if rows == most {
			return fmt.Errorf("it has more than %d rows", most)
		}

		var (
			s         SIM
			algorithm *int
			sqn       number
		)

		if err := found.Scan(&s.Line, &s.IMSI, &s.MSISDN, &algorithm, &s.K, &s.OP, &s.OPc, &sqn); err != nil {
			return err
		}

		s.SQN = sqn.sqn()

		switch {
		case algorithm == nil:
			leftOut(s.Line, s.IMSI+" has keys for 2G alone")
		case *algorithm != milenage:
			leftOut(s.Line, fmt.Sprintf("%s has the algorithm %d, which is not Milenage", s.IMSI, *algorithm))
		default:
			if err := s.give(sim); err != nil {
				return err
			}
		}
	}

	return errors.Join(found.Err(), found.Close())
}

// areTables refuses a database in which what is asked for is computed: a view, a virtual table or a generated column can take for ever, and
// once there is a first row, the end of the context does not interrupt the computation of the next.
func areTables(ctx context.Context, db *sql.DB) error {
	for _, name := range []string{"subscriber", "auc_3g"} {
		var tables int

		err := db.QueryRowContext(ctx,
			`SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name = ?`, name).Scan(&tables)
		if err != nil {
			return err
		}

		if tables != 1 {
			return fmt.Errorf("%s is not a table of it", name)
		}

		if err := stored(ctx, db, name); err != nil {
			return err
		}
	}

	return nil
}

// stored refuses a table with a generated column.
func stored(ctx context.Context, db *sql.DB, table string) error {
	columns, err := db.QueryContext(ctx, `PRAGMA main.table_xinfo(`+table+`)`)
	if err != nil {
		return err
	}
	defer columns.Close()

	for columns.Next() {
		var (
			name                string
			of, standard        any
			id, set, key, other int
		)

		if err := columns.Scan(&id, &name, &of, &set, &standard, &key, &other); err != nil {
			return err
		}

		if other != 0 {
			return fmt.Errorf("%s computes its column %s", table, name)
		}
	}

	return errors.Join(columns.Err(), columns.Close())
}
