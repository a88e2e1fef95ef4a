// The bench command loads the five binaries with simulated handsets at fixed rates and prints what that costs: CPU seconds of P-, I-
// and S-CSCF together per 1,000 registrations and calls, failures, retransmissions, and live bytes per registered subscriber.
package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"os/exec"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

const (
	domain = "ims.mnc001.mcc001.3gppnetwork.org"
	k      = "465b5ce8b199b49faa5f0a2ee238a6bc"
	opc    = "cd63cb71954a9f4e48a5994e37a02baf"
)

var admins = map[string]string{
	"pcscf": "http://127.0.0.10:9090", "icscf": "http://127.0.0.11:9090", "scscf": "http://127.0.0.12:9090",
	"hss": "http://127.0.0.13:9090", "ocs": "http://127.0.0.14:9090",
}

var proxies = []string{"pcscf", "icscf", "scscf"}

func main() {
	binaries := flag.String("bin", "bin", "folder of the five binaries")
	subscribers := flag.Int("subscribers", 2000, "handsets")
	seconds := flag.Int("seconds", 5, "length of each load")
	flag.Parse()

	if err := run(*binaries, *subscribers, *seconds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	data     string
	running  map[string]*exec.Cmd
	handsets []*handset.Handset
}

func run(binaries string, subscribers, seconds int) error {
	fmt.Printf("%d cores for everything: the five functions, the handsets and this program; tracing off, UDP\n\n", runtime.NumCPU())

	for _, charged := range []bool{false, true} {
		b := &bench{running: map[string]*exec.Cmd{}}

		err := b.measure(binaries, subscribers, seconds, charged)
		b.close()

		if err != nil {
			return err
		}
	}

	return nil
}

func (b *bench) measure(binaries string, subscribers, seconds int, charged bool) error {
	var err error
	if b.data, err = os.MkdirTemp("", "dialtone-bench"); err != nil {
		return err
	}

	for _, name := range []string{"hss", "ocs", "scscf", "icscf", "pcscf"} {
		if err := b.start(binaries, name, charged); err != nil {
			return err
		}
	}

	if err := b.provision(subscribers); err != nil {
		return err
	}

	if !charged {
		empty := b.live()

		for i, rate := range []int{400, 1000} {
			n := min(rate*seconds, subscribers)
			again := i > 0 // the same handsets register anew, from nothing they remember
			if err := b.registrations(rate, n, again); err != nil {
				return err
			}
		}

		b.settle()
		fmt.Printf("%-44s %8.1f kB    transactions over\n", "live per registered subscriber, P+I+S", float64(b.live()-empty)/float64(len(b.handsets))/1000)
	} else if err := b.all(); err != nil {
		return err
	}

	return b.calls(200, 200*seconds, charged)
}

func (b *bench) start(binaries, name string, charged bool) error {
	upper := strings.ToUpper(name)
	command := exec.Command(filepath.Join(binaries, name))
	command.Env = append(os.Environ(), "DIALTONE_"+upper+"_TRACE_RING=0", "DIALTONE_"+upper+"_LOG_LEVEL=warn")

	if name == "hss" || name == "ocs" || name == "scscf" {
		command.Env = append(command.Env, "DIALTONE_"+upper+"_DATA="+filepath.Join(b.data, name))
	}

	if name == "scscf" {
		command.Env = append(command.Env, fmt.Sprintf("DIALTONE_SCSCF_SESSIONS_CHARGING_ENABLED=%v", charged))
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

	b.running[name] = command

	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if (httpapi.Client{Base: admins[name]}).Do(context.Background(), "GET", "/readyz", nil, nil) == nil {
			return nil
		}

		time.Sleep(20 * time.Millisecond)
	}

	return fmt.Errorf("%s is not ready; see %s", name, log.Name())
}

func (b *bench) close() {
	for _, h := range b.handsets {
		_ = h.Close()
	}

	for _, command := range b.running {
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
	}

	os.RemoveAll(b.data)
}

func (b *bench) provision(n int) error {
	hss, ocs := httpapi.Client{Base: admins["hss"]}, httpapi.Client{Base: admins["ocs"]}
	ctx := context.Background()

	if err := ocs.Do(ctx, "PUT", "/tariffs/standard", map[string]any{"name": "standard", "rates": []any{map[string]any{"prefix": "", "price": 1, "interval": 1, "increment": 1}}}, nil); err != nil {
		return err
	}

	for i := range n {
		imsi, msisdn := fmt.Sprintf("00101%010d", i), fmt.Sprintf("1777%07d", i)
		if err := hss.Do(ctx, "POST", "/subscribers", map[string]any{"imsi": imsi, "msisdn": msisdn, "authentication": map[string]string{"k": k, "opc": opc}}, nil); err != nil {
			return err
		}

		if err := ocs.Do(ctx, "POST", "/accounts", map[string]any{"name": imsi, "balance": 1_000_000, "identities": []string{"tel:+" + msisdn}}, nil); err != nil {
			return err
		}

		h, err := handset.New(handset.Config{
			IMSI: imsi, Domain: domain, K: key(k), OPc: key(opc), Transport: "UDP", Expires: 3600,
			Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), 5060),
			Proxy:   netip.MustParseAddrPort("127.0.0.10:5060"),
		})
		if err != nil {
			return err
		}

		b.handsets = append(b.handsets, h)
	}

	return nil
}

func key(text string) [16]byte {
	b, _ := hex.DecodeString(text)
	return [16]byte(b)
}

// all registers every handset, in no hurry.
func (b *bench) all() error {
	for _, h := range b.handsets {
		if err := h.Register(context.Background()); err != nil {
			return err
		}
	}

	return nil
}

// paced does n things at a fixed rate, and says how many failed.
func paced(rate, n int, do func(i int) error) (failed int64, last error) {
	var group sync.WaitGroup

	var failures atomic.Int64

	var reason atomic.Value

	began := time.Now()

	for i := range n {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		group.Go(func() {
			if err := do(i); err != nil {
				failures.Add(1)
				reason.Store(err.Error())
			}
		})
	}

	group.Wait()

	if text, ok := reason.Load().(string); ok {
		last = fmt.Errorf("%s", text)
	}

	return failures.Load(), last
}

func (b *bench) registrations(rate, n int, again bool) error {
	if again {
		for _, h := range b.handsets {
			h.Forget()
		}
	}

	before, sent := b.cpu(), b.retransmissions()
	failed, reason := paced(rate, n, func(i int) error { return b.handsets[i].Register(context.Background()) })
	b.report(fmt.Sprintf("%d AKA registrations at %d/s", n, rate), n, b.cpu()-before, failed, b.retransmissions()-sent, reason)

	return b.all()
}

func (b *bench) calls(rate, n int, charged bool) error {
	for _, h := range b.handsets {
		go func() {
			for call := range h.Incoming() {
				go func() { _ = call.Answer(context.Background()) }()
			}
		}()
	}

	half := len(b.handsets) / 2
	before, sent := b.cpu(), b.retransmissions()
	failed, reason := paced(rate, n, func(i int) error {
		callee := half + i%half

		call, err := b.handsets[i%half].Dial(context.Background(), fmt.Sprintf("tel:+1777%07d", callee))
		if err != nil {
			return err
		}

		return call.HangUp(context.Background())
	})

	what := "dialog state, no charging"
	if charged {
		what = "online charging"
	}

	b.report(fmt.Sprintf("%d calls at %d/s, %s", n, rate, what), n, b.cpu()-before, failed, b.retransmissions()-sent, reason)

	return nil
}

func (b *bench) report(what string, n int, cpu float64, failed int64, retransmitted float64, reason error) {
	fmt.Printf("%-44s %8.2f CPU s per 1,000   %d failed, %.0f retransmissions\n", what, cpu*1000/float64(n), failed, retransmitted)

	if reason != nil {
		fmt.Printf("    the last failure: %v\n", reason)
	}
}

// cpu is the seconds that P-, I- and S-CSCF have used so far.
func (b *bench) cpu() (seconds float64) {
	for _, name := range proxies {
		seconds += metric(name, "process_cpu_seconds_total")
	}

	return seconds
}

func (b *bench) retransmissions() (n float64) {
	for _, name := range proxies {
		n += metric(name, "dialtone_sip_retransmissions_total")
	}

	return n
}

// settle waits until the transactions of the load are over: those over UDP last 32 s.
func (b *bench) settle() {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		var alive float64
		for _, name := range proxies {
			alive += metric(name, "dialtone_sip_transactions")
		}

		if alive == 0 {
			return
		}
	}
}

// live is the heap of the three after a collection.
func (b *bench) live() int64 {
	var n float64

	for _, name := range proxies {
		get(admins[name] + "/debug/pprof/heap?gc=1")
		n += metric(name, "go_memstats_heap_alloc_bytes")
	}

	return int64(n)
}

// metric is the sum of all series of a name.
func metric(function, name string) (sum float64) {
	for line := range strings.Lines(get(admins[function] + "/metrics")) {
		if series, value, found := strings.Cut(strings.TrimSpace(line), " "); found && (series == name || strings.HasPrefix(series, name+"{")) {
			n, _ := strconv.ParseFloat(value, 64)
			sum += n
		}
	}

	return sum
}

func get(url string) string {
	response, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer response.Body.Close()

	text, _ := io.ReadAll(response.Body)

	return string(text)
}
