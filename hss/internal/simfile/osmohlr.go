package simfile

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // osmo-hlr's database
)

// sqliteMagic is how a database of SQLite begins.
const sqliteMagic = "SQLite format 3\x00"

// milenage is the number that osmo-hlr has for it (enum osmo_auth_algo).
const milenage = 5

// readOsmoHLR reads hlr.db.
func readOsmoHLR(f File, sim func(SIM) error, leftOut func(int, string)) error {
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

	found, err := db.Query(`SELECT subscriber.id, imsi, coalesce(msisdn, ''), algo_id_3g, coalesce(k, ''), coalesce(op, ''),
		coalesce(opc, ''), coalesce(sqn, 0) FROM subscriber LEFT JOIN auc_3g ON subscriber_id = subscriber.id ORDER BY subscriber.id`)
	if err != nil {
		return fmt.Errorf("it is no database of osmo-hlr: %w", err)
	}
	defer found.Close()

	for found.Next() {
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
