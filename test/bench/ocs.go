package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dialtone-ims/dialtone/pkg/child"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/test/postgres"
)

// ocsPlaces are the addresses of the OCSs that charge, as in admins.
var ocsPlaces = []string{"127.0.0.14", "127.0.0.15"}

// ocsBench is OCSs alone on one ledger, and who charges with them.
type ocsBench struct {
	*bench
	store    string   // "SQLite" or "PostgreSQL"
	settings []string // where the ledger is
	size     func() float64
	accounts int
	ocss     []*charger
}

// charges measures OCSs on both stores.
func (o *options) charges() error {
	fmt.Printf("\n%-52s %9s %9s %9s %9s %8s\n", "OCS, the client beside it", "CCR/s", "CPU s", "p50 ms", "p99 ms", "failed")

	for _, store := range []string{"SQLite", "PostgreSQL"} {
		if !o.only.MatchString("OCS on " + store) {
			continue
		}

		if err := o.chargeOn(store); err != nil {
			return fmt.Errorf("OCS on %s: %w", store, err)
		}
	}

	return nil
}

func (o *options) chargeOn(store string) error {
	c := &ocsBench{bench: &bench{options: o}, store: store, accounts: 1000}
	defer c.bench.close()

	if err := c.open(); err != nil {
		return err
	}

	if err := c.add(0); err != nil {
		return err
	}

	if err := c.provision(); err != nil {
		return err
	}

	for _, rate := range []int{1000, 2000, 5000} {
		pace := func(one *charger) (charged, error) { return one.pace(rate, o.seconds) }
		if err := c.line(fmt.Sprintf("CCRs at %d/s", rate), pace); err != nil {
			return err
		}
	}

	const window = 256

	all := func(one *charger) (charged, error) { return one.flood(o.flood*o.seconds/3, window) }
	if err := c.line(fmt.Sprintf("as many CCRs as it answers, %d calls", window), all); err != nil {
		return err
	}

	if err := c.weigh(); err != nil {
		return err
	}

	if store == "SQLite" {
		return c.large()
	}

	if err := c.add(1); err != nil {
		return err
	}

	return c.line("the same with two OCSs", all)
}

// open makes the ledger.
func (c *ocsBench) open() (err error) {
	if c.data, err = os.MkdirTemp("", "dialtone-bench"); err != nil {
		return err
	}

	os.Setenv(httpapi.TokenVariable, filepath.Join(c.data, "admin.token"))

	if c.store == "SQLite" {
		c.settings = []string{"DIALTONE_OCS_DATA=" + filepath.Join(c.data, "ocs")}
		c.size = func() float64 { return octets(filepath.Join(c.data, "ocs")) }

		return nil
	}

	server, err := postgres.Start("fsync=on", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=256MB")
	if err != nil {
		return err
	}

	c.loads = append(c.loads, closing(postgres.Stop))
	c.settings = []string{"DIALTONE_OCS_DSN=" + server}
	c.size = func() float64 { return postgres.Size(server) }

	return nil
}

// closing is a load that only ends.
type closing func()

func (closing) name() string              { return "" }
func (closing) register(int, int) outcome { return outcome{} }
func (closing) call(int, int) outcome     { return outcome{} }
func (c closing) close()                  { c() }

// octets is the size of the files of a folder.
func octets(folder string) (sum float64) {
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			sum += float64(info.Size())
		}
	}

	return sum
}

func (c *ocsBench) admin(i int) httpapi.Client {
	return httpapi.Local("http://" + ocsPlaces[i] + ":9090")
}

// add starts one more OCS, and connects to it.
func (c *ocsBench) add(i int) error {
	command := exec.Command(filepath.Join(c.binaries, "ocs"))
	command.Env = append(os.Environ(), "DIALTONE_OCS_TRACE_RING=0", "DIALTONE_OCS_LOG_LEVEL=warn",
		"DIALTONE_OCS_ADMIN_ADDRESS="+ocsPlaces[i]+":9090", "DIALTONE_OCS_DIAMETER_LISTEN=[{address: \""+ocsPlaces[i]+":3868\"}]")
	command.Env = append(command.Env, c.settings...)
	child.Bind(command, syscall.SIGTERM)

	log, err := os.Create(filepath.Join(c.data, fmt.Sprint("ocs", i, ".log")))
	if err != nil {
		return err
	}
	defer log.Close()

	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return err
	}

	c.running = append(c.running, command)

	deadline := time.Now().Add(60 * time.Second)
	for c.admin(i).Do(context.Background(), "GET", "/readyz", nil, nil) != nil {
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("it is not ready; it said:\n%s", text)
		}

		time.Sleep(20 * time.Millisecond)
	}

	one, err := newCharger(ocsPlaces[i]+":3868", c.accounts)
	if err != nil {
		return err
	}

	one.run = i * 1_000_000
	c.ocss = append(c.ocss, one)

	return nil
}

// provision makes the price list and the accounts.
func (c *ocsBench) provision() error {
	ctx := context.Background()
	rates := []any{map[string]any{"prefix": "", "price": 1, "interval": 1, "increment": 1}}

	if err := c.admin(0).Do(ctx, "PUT", "/tariffs/standard", map[string]any{"name": "standard", "rates": rates}, nil); err != nil {
		return err
	}

	const atOnce = 500

	for from := 0; from < c.accounts; from += atOnce {
		var some []any

		for i := from; i < min(from+atOnce, c.accounts); i++ {
			number := strconv.Itoa(firstNumber + i)
			some = append(some, map[string]any{"name": number, "balance": 1_000_000_000, "identities": []string{"tel:+" + number}})
		}

		if err := c.admin(0).Do(ctx, "POST", "/accounts/bulk", some, nil); err != nil {
			return err
		}
	}

	return nil
}

// figure is a metric of all OCSs together.
func (c *ocsBench) figure(name string) (sum float64) {
	for i := range c.ocss {
		var text strings.Builder
		if c.admin(i).Copy(context.Background(), "/metrics", &text) != nil {
			continue
		}

		for line := range strings.Lines(text.String()) {
			if rest, found := strings.CutPrefix(strings.TrimSpace(line), name+" "); found {
				n, _ := strconv.ParseFloat(rest, 64)
				sum += n
			}
		}
	}

	return sum
}

// line gives all OCSs a load at once, and prints what came of it.
func (c *ocsBench) line(what string, load func(*charger) (charged, error)) error {
	what = "OCS on " + c.store + ": " + what
	if !c.only.MatchString(what) {
		return nil
	}

	c.record(what)

	var (
		seen   charged
		loads  errgroup.Group
		mu     sync.Mutex
		before = c.figure("process_cpu_seconds_total")
		began  = time.Now()
	)

	for _, one := range c.ocss {
		loads.Go(func() error {
			own, err := load(one)

			mu.Lock()
			defer mu.Unlock()
			seen.answered += own.answered
			seen.failed += own.failed
			seen.half, seen.slow = max(seen.half, own.half), max(seen.slow, own.slow)
			seen.remark = own.remark

			return err
		})
	}

	if err := loads.Wait(); err != nil {
		return err
	}

	length := time.Since(began)
	cpu := (c.figure("process_cpu_seconds_total") - before) * 1000 / float64(seen.answered)
	fmt.Printf("%-52s %9.0f %9.3f %9.1f %9.1f %8d\n", what, float64(seen.answered)/length.Seconds(), cpu,
		seen.half.Seconds()*1000, seen.slow.Seconds()*1000, seen.failed)

	if seen.remark != "" {
		fmt.Printf("    %s\n", seen.remark)
	}

	return nil
}

// record takes a CPU profile of the first OCS while the next load runs.
func (c *ocsBench) record(what string) {
	if c.profiles == "" {
		return
	}

	name := strings.NewReplacer(" ", "-", "/", "-per-", ",", "", ":", "").Replace(what) + ".pprof"

	go func() {
		var text strings.Builder
		if c.admin(0).Copy(context.Background(), fmt.Sprint("/debug/pprof/profile?seconds=", max(1, c.seconds-1)), &text) == nil {
			_ = os.WriteFile(filepath.Join(c.profiles, name), []byte(text.String()), 0o644)
		}
	}()

	time.Sleep(100 * time.Millisecond)
}

// weigh prints what a call leaves in the database, and what an open one takes of memory.
func (c *ocsBench) weigh() error {
	const calls = 3000

	if !c.only.MatchString("OCS on " + c.store + ": bytes") {
		return nil
	}

	live := func() float64 {
		_ = c.admin(0).Copy(context.Background(), "/debug/pprof/heap?gc=1", new(strings.Builder))
		return c.figure("go_memstats_heap_alloc_bytes")
	}

	size := c.size()
	if _, err := c.ocss[0].flood(calls, 64); err != nil {
		return err
	}

	fmt.Printf("%-52s %6.2f kB in the database\n", "OCS on "+c.store+": bytes of a call of three CCRs", (c.size()-size)/calls/1000)

	empty := live()
	if err := c.ocss[0].begins(calls); err != nil {
		return err
	}

	fmt.Printf("%-52s %6.2f kB live\n", "OCS on "+c.store+": bytes of an open call", (live()-empty)/calls/1000)

	return nil
}

// begins begins so many calls.
func (c *charger) begins(calls int) error {
	c.begin()
	began := time.Now()

	for from := 0; from < calls; from += 100 {
		c.mu.Lock()
		for call := from; call < min(from+100, calls); call++ {
			c.put(call, 0, time.Since(began))
		}

		err := c.flush()
		n := len(c.due) - from
		c.mu.Unlock()

		if err == nil {
			err = c.collect(began, n, nil)
		}

		if err != nil {
			return err
		}
	}

	return nil
}
