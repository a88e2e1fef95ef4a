package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // that fills the ledger
)

// large measures an OCS with many accounts, and then with a long history, too.
func (c *ocsBench) large() error {
	what := fmt.Sprintf("OCS on %s: %d accounts", c.store, c.options.accounts)
	if !c.only.MatchString(what) {
		return nil
	}

	took, err := c.fromFile(c.options.accounts)
	if err != nil {
		return err
	}

	fmt.Printf("%-52s %9.0f s to make them from a file\n", what, took.Seconds())

	for _, one := range c.ocss {
		one.accounts = c.options.accounts
	}

	pace := func(one *charger) (charged, error) { return one.pace(2000, c.seconds) }

	err = errors.Join(c.line(fmt.Sprintf("CCRs at 2000/s, %d accounts", c.options.accounts), pace), c.reads(what))
	if err != nil || c.store != "SQLite" {
		return err
	}

	if err := c.fill(c.options.movements); err != nil {
		return err
	}

	what = fmt.Sprintf("OCS on %s: %d movements", c.store, c.options.movements)

	return errors.Join(c.line(fmt.Sprintf("CCRs at 2000/s, %d movements", c.options.movements), pace), c.reads(what))
}

// fromFile makes accounts besides those that there are, as an operator does.
func (c *ocsBench) fromFile(n int) (took time.Duration, err error) {
	file, err := os.Create(filepath.Join(c.data, "accounts.jsonl"))
	if err != nil {
		return 0, err
	}
	defer file.Close()

	lines := bufio.NewWriter(file)
	for i := c.accounts; i < n; i++ {
		fmt.Fprintf(lines, `{"account":"%d","identities":["tel:+%d"],"balance":1000000000}`+"\n", firstNumber+i, firstNumber+i)
	}

	if err := lines.Flush(); err != nil {
		return 0, err
	}

	command := exec.Command(filepath.Join(c.binaries, "ocs"), "account", "add", "--api", "http://"+ocsPlaces[0]+":9090", "--file", file.Name())
	began := time.Now()

	if out, err := command.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, out)
	}

	return time.Since(began), nil
}

// fill gives all accounts a history: what is reserved is released again.
func (c *ocsBench) fill(n int) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(c.data, "ocs", "ledger.db")+"?_pragma=busy_timeout(20000)")
	if err != nil {
		return err
	}
	defer db.Close()

	const atOnce = 50_000

	for from := 0; from < n; from += atOnce {
		_, err := db.Exec(`WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)
			INSERT INTO movements (at, kind, session, note, owner, from_account, to_account, amount)
			SELECT '2026-01-01 00:00:00+00:00', CASE i % 2 WHEN 0 THEN 'reserve' ELSE 'release' END, 'bench;filled;' || (i / 2), '', a.id,
				CASE i % 2 WHEN 0 THEN a.id ELSE r.id END, CASE i % 2 WHEN 0 THEN r.id ELSE a.id END, 60
			FROM n JOIN accounts a ON a.name = CAST(? + (i / 2) % ? AS TEXT) AND a.kind = 'subscriber'
			JOIN accounts r ON r.name = a.name AND r.kind = 'reserved'`, from, min(from+atOnce, n), firstNumber, c.options.accounts)
		if err != nil {
			return err
		}
	}

	return nil
}

// reads prints how long it takes to look at a large ledger, the second time.
func (c *ocsBench) reads(what string) error {
	for _, path := range []string{"/metrics", "/accounts", "/ledger", fmt.Sprint("/ledger?account=", firstNumber), "/sessions", "/cdrs"} {
		var took time.Duration

		for range 2 {
			began := time.Now()
			if err := c.admin(0).Copy(context.Background(), path, new(strings.Builder)); err != nil {
				return err
			}

			took = time.Since(began)
		}

		fmt.Printf("%-52s %9.1f ms for GET %s\n", what, took.Seconds()*1000, path)
	}

	return nil
}
