package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/child"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

const domain = "ims.mnc001.mcc001.3gppnetwork.org"

var admins = map[string]string{
	"pcscf": "http://127.0.0.10:9090", "icscf": "http://127.0.0.11:9090", "scscf": "http://127.0.0.12:9090",
	"hss": "http://127.0.0.13:9090", "ocs": "http://127.0.0.14:9090",
}

// measured are the functions whose costs are summed, in the order in which they are started.
var measured = []string{"scscf", "icscf", "pcscf"}

// bench is one core, and its loads.
type bench struct {
	*options
	data    string
	running []*exec.Cmd
	loads   []load
	cpu     func() float64 // seconds that P-, I- and S-CSCF have used together
}

// start starts CSCFs, in this order, and our own HSS and OCS before them.
func (b *bench) start(settings []string, cscfs ...string) (err error) {
	if b.data, err = os.MkdirTemp("", "dialtone-bench"); err != nil {
		return err
	}

	os.Setenv(httpapi.TokenVariable, filepath.Join(b.data, "admin.token"))

	b.cpu = func() float64 { return sum("process_cpu_seconds_total") }

	for _, name := range append([]string{"hss", "ocs"}, cscfs...) {
		if err := b.launch(name, settings); err != nil {
			return err
		}
	}

	return nil
}

func (b *bench) launch(name string, settings []string) error {
	prefix := "DIALTONE_" + strings.ToUpper(name)
	command := exec.Command(filepath.Join(b.binaries, name))
	command.Env = append(os.Environ(), prefix+"_TRACE_RING=0", prefix+"_LOG_LEVEL=warn")

	if slices.Contains(measured, name) {
		command.Env = append(command.Env, prefix+"_SIP_UDP_SIZE_LIMIT=0") // all of it over UDP
	}

	child.Bind(command, syscall.SIGTERM)

	for _, setting := range settings {
		if strings.HasPrefix(setting, prefix) {
			command.Env = append(command.Env, setting)
		}
	}

	if name == "hss" || name == "ocs" || name == "scscf" {
		command.Env = append(command.Env, prefix+"_DATA="+filepath.Join(b.data, name))
	}

	log, err := os.Create(filepath.Join(b.data, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()

	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return err
	}

	b.running = append(b.running, command)

	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if httpapi.Local(admins[name]).Do(context.Background(), "GET", "/readyz", nil, nil) == nil {
			return nil
		}
	}

	text, _ := os.ReadFile(log.Name())

	return fmt.Errorf("%s is not ready; it said:\n%s", name, text)
}

func (b *bench) close() {
	for _, l := range b.loads {
		l.close()
	}

	for _, command := range slices.Backward(b.running) {
		_ = command.Process.Signal(os.Interrupt)
		limit := time.AfterFunc(20*time.Second, func() {
			for _, pid := range processes(command) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		})
		_ = command.Wait()
		limit.Stop()
	}

	os.RemoveAll(b.data)
}

// provision makes a subscriber and a prepaid account of each user.
func provision(users []user) error {
	hss, ocs := httpapi.Local(admins["hss"]), httpapi.Local(admins["ocs"])
	ctx := context.Background()

	if err := ocs.Do(ctx, "PUT", "/tariffs/standard", map[string]any{
		"name":  "standard",
		"rates": []any{map[string]any{"prefix": "", "price": 1, "interval": 1, "increment": 1}},
	}, nil); err != nil {
		return err
	}

	for _, u := range users {
		if err := errors.Join(
			hss.Do(ctx, "POST", "/subscribers", map[string]any{"imsi": u.imsi, "msisdn": u.number, "authentication": sim}, nil),
			ocs.Do(ctx, "POST", "/accounts", map[string]any{"name": u.imsi, "balance": 1_000_000, "identities": []string{u.uri()}}, nil),
		); err != nil {
			return err
		}
	}

	return nil
}

// settle waits until the transactions of the load are over: those over UDP last 32 s, towards handsets 128 s.
func settle() {
	for deadline := time.Now().Add(150 * time.Second); time.Now().Before(deadline) && sum("dialtone_sip_transactions") > 0; {
		time.Sleep(time.Second)
	}
}

// live returns the heap of the measured functions after a collection.
func live() float64 {
	for _, name := range measured {
		get(name, "/debug/pprof/heap?gc=1")
	}

	return sum("go_memstats_heap_alloc_bytes")
}

// sum adds up a metric over the measured functions.
func sum(name string) (n float64) {
	for _, function := range measured {
		n += metric(function, name)
	}

	return n
}

// metric returns the sum of all series of a name that have these labels, such as `result="2001"`.
func metric(function, name string, labels ...string) (sum float64) {
	lacks := func(line string) func(string) bool {
		return func(label string) bool { return !strings.Contains(line, label) }
	}

	for line := range strings.Lines(get(function, "/metrics")) {
		rest, found := strings.CutPrefix(strings.TrimSpace(line), name)
		if !found || !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, " ") || slices.ContainsFunc(labels, lacks(rest)) {
			continue
		}

		n, _ := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		sum += n
	}

	return sum
}

func get(function, path string) string {
	var text strings.Builder
	if httpapi.Local(admins[function]).Copy(context.Background(), path, &text) != nil {
		return ""
	}

	return text.String()
}
