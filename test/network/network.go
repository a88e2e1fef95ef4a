// Package network starts the five functions for a test, as they are built and run, and makes subscribers and handsets for them.
package network

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/child"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// Domain is the home network.
const Domain = "ims.mnc001.mcc001.3gppnetwork.org"

var binaries string

// Main runs the tests of a package apart from all others, with the five binaries built with the race detector. DIALTONE_BINARIES names
// a folder where they are built already.
func Main(m *testing.M) {
	Apart()

	dir, err := os.MkdirTemp("", "dialtone-core")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	os.Setenv(httpapi.TokenVariable, filepath.Join(dir, "admin.token")) // of the functions and of the test

	if binaries = os.Getenv("DIALTONE_BINARIES"); binaries != "" {
		status := m.Run()
		os.RemoveAll(dir)
		os.Exit(status)
	}

	binaries = dir
	for _, name := range functions {
		build := exec.Command("go", "build", "-race", "-o", filepath.Join(dir, name), "../../"+name)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n%s", name, err, out)
			os.Exit(1)
		}
	}

	os.Setenv("DIALTONE_BINARIES", binaries) // for a test that runs itself again elsewhere

	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

var functions = []string{"hss", "ocs", "scscf", "icscf", "pcscf"}

var admins = map[string]string{
	"pcscf": "http://127.0.0.10:9090", "icscf": "http://127.0.0.11:9090", "scscf": "http://127.0.0.12:9090",
	"hss": "http://127.0.0.13:9090", "ocs": "http://127.0.0.14:9090",
}

// Network is the five functions of one test.
type Network struct {
	*testing.T
	lock    *os.File
	data    string
	running map[string]*exec.Cmd
	next    int // of subscribers
}

// Start starts all five on the lab's addresses; environment changes their settings. Networks of other test processes are waited for.
func Start(t *testing.T, environment ...string) *Network {
	t.Helper()

	n := &Network{T: t, lock: Alone(t), data: t.TempDir(), running: map[string]*exec.Cmd{}}
	t.Cleanup(n.stop)

	for _, name := range functions {
		n.Run(name, environment...)
	}
	n.OCS("PUT", "/tariffs/standard", map[string]any{"name": "standard", "rates": []any{map[string]any{
		"prefix": "", "price": 1, "interval": 1, "increment": 1, "event_price": 10,
	}}}, nil)

	return n
}

// Run starts one function and waits until it is ready.
func (n *Network) Run(name string, environment ...string) {
	n.Helper()

	log, err := os.OpenFile(filepath.Join(n.data, name+".log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		n.Fatal(err)
	}
	defer log.Close()

	command := exec.Command(filepath.Join(binaries, name))
	command.Stdout, command.Stderr = log, log
	upper := strings.ToUpper(name)
	command.Env = slices.Concat(os.Environ(), environment)
	if name == "hss" || name == "ocs" || name == "scscf" {
		command.Env = append(command.Env, "DIALTONE_"+upper+"_DATA="+filepath.Join(n.data, name))
	}
	child.Bind(command, syscall.SIGKILL)
	if err := command.Start(); err != nil {
		n.Fatal(err)
	}
	n.running[name] = command
	n.Await(name+" to be ready", func() bool {
		return httpapi.Local(admins[name]).Do(context.Background(), "GET", "/readyz", nil, nil) == nil
	})
}

func (n *Network) stop() {
	defer n.lock.Close() // and with it the lock

	for _, name := range slices.Backward(functions) {
		if command := n.running[name]; command != nil {
			_ = command.Process.Signal(syscall.SIGTERM)
		}
	}
	for name, command := range n.running {
		if command == nil {
			continue
		}
		if err := command.Wait(); err != nil {
			n.Errorf("%s ended with %v", name, err)
		}
		text := n.Log(name)
		if strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic") {
			n.Errorf("%s: a data race or a panic", name)
		}
		if n.Failed() {
			n.Logf("the log of %s:\n%s", name, text[max(0, len(text)-4000):])
		}
	}
}

// Lines returns those of all logs that name somebody, the last ones of each: what happened to one of many.
func (n *Network) Lines(name string) string {
	n.Helper()

	const most = 12

	var all []string

	for _, function := range functions {
		var lines []string
		for line := range strings.Lines(n.Log(function)) {
			if strings.Contains(line, name) {
				lines = append(lines, line)
			}
		}

		all = append(all, lines[max(0, len(lines)-most):]...)
	}

	return strings.Join(all, "")
}

// Log returns what a function has logged so far.
func (n *Network) Log(name string) string {
	n.Helper()

	text, err := os.ReadFile(filepath.Join(n.data, name+".log"))
	if err != nil {
		n.Fatal(err)
	}

	return string(text)
}

// Kill ends a function as a power cut does.
func (n *Network) Kill(name string) {
	_ = n.running[name].Process.Kill()
	_ = n.running[name].Wait()
	n.running[name] = nil
}

// AwaitKept waits until the S-CSCF has written registrations down, which it does five times a second: a kill before that loses them.
func (n *Network) AwaitKept(all ...Subscriber) {
	n.Helper()

	n.Await("the registrations to be kept", func() bool {
		text, err := os.ReadFile(filepath.Join(n.data, "scscf", "registrations.jsonl"))

		return err == nil && !slices.ContainsFunc(all, func(s Subscriber) bool { return !strings.Contains(string(text), s.MSISDN) })
	})
}

// Await waits for a condition.
func (n *Network) Await(what string, condition func() bool) {
	n.Helper()

	deadline := time.After(time.Minute) // longer than any transaction lasts (64*T1)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()

	for !condition() {
		select {
		case <-deadline:
			n.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// HSS asks the API of the HSS.
func (n *Network) HSS(method, path string, in, out any) {
	n.Helper()

	if err := httpapi.Local(admins["hss"]).Do(n.Context(), method, path, in, out); err != nil {
		n.Fatal(err)
	}
}

// OCS asks the API of the OCS.
func (n *Network) OCS(method, path string, in, out any) {
	n.Helper()

	if err := httpapi.Local(admins["ocs"]).Do(n.Context(), method, path, in, out); err != nil {
		n.Fatal(err)
	}
}

// SCSCF asks the API of the S-CSCF.
func (n *Network) SCSCF(method, path string, in, out any) {
	n.Helper()

	if err := httpapi.Local(admins["scscf"]).Do(n.Context(), method, path, in, out); err != nil {
		n.Fatal(err)
	}
}

// Metrics returns those of one function, as Prometheus reads them.
func (n *Network) Metrics(name string) string {
	n.Helper()

	response, err := http.Get(admins[name] + "/metrics")
	if err != nil {
		n.Fatal(err)
	}
	defer response.Body.Close()

	text, err := io.ReadAll(response.Body)
	if err != nil {
		n.Fatal(err)
	}

	return string(text)
}

// Keys of every subscriber.
const (
	K   = "465b5ce8b199b49faa5f0a2ee238a6bc"
	OPc = "cd63cb71954a9f4e48a5994e37a02baf"
)

// Subscriber is one that the HSS knows, with its money.
type Subscriber struct {
	IMSI, MSISDN, Name string
	Address            string // of its handset
}

// Subscribe makes a subscriber with an account.
func (n *Network) Subscribe(balance int64, profile string) Subscriber {
	n.Helper()

	n.next++
	s := Subscriber{
		IMSI: fmt.Sprintf("00101%010d", n.next), MSISDN: fmt.Sprintf("1555%04d", n.next), Name: fmt.Sprintf("user%d", n.next),
		Address: fmt.Sprintf("127.0.1.%d:5060", n.next),
	}
	body := map[string]any{"imsi": s.IMSI, "msisdn": s.MSISDN, "authentication": map[string]string{"k": K, "opc": OPc}}
	if profile != "" {
		body["service_profile"] = profile
	}
	n.HSS("POST", "/subscribers", body, nil)
	n.OCS("POST", "/accounts", map[string]any{"name": s.Name, "balance": balance, "identities": []string{"tel:+" + s.MSISDN}}, nil)

	return s
}

// Tel returns the subscriber's number as a URI.
func (s Subscriber) Tel() string { return "tel:+" + s.MSISDN }

// Handset returns the subscriber's, not yet registered. change may make it another one than the HSS thinks.
func (n *Network) Handset(s Subscriber, change func(*handset.Config)) *handset.Handset {
	n.Helper()

	c := handset.Config{
		IMSI: s.IMSI, Domain: Domain, K: Key(K), OPc: Key(OPc), Transport: "UDP", Expires: 600,
		Address: netip.MustParseAddrPort(s.Address), Proxy: netip.MustParseAddrPort("127.0.0.10:5060"),
	}
	if change != nil {
		change(&c)
	}
	h, err := handset.New(c)
	if err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() {
		if err := h.Close(); err != nil {
			n.Error(err)
		}
	})

	return h
}

// Key returns a key in hexadecimal.
func Key(text string) [16]byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}

	return [16]byte(b)
}

// Registered returns a handset that has registered.
func (n *Network) Registered(s Subscriber, change func(*handset.Config)) *handset.Handset {
	n.Helper()

	h := n.Handset(s, change)
	if err := h.Register(n.Context()); err != nil {
		n.Fatal(err)
	}

	return h
}

// Status is that of a refusal, or 0.
func Status(err error) int {
	var refused *handset.Refused
	if errors.As(err, &refused) {
		return refused.Response.StatusCode
	}

	return 0
}

// Answering takes every call that comes.
func (n *Network) Answering(h *handset.Handset) <-chan *handset.Call {
	calls := make(chan *handset.Call, 16)

	go func() {
		for {
			select {
			case c := <-h.Incoming():
				if c.Answer(n.Context()) == nil {
					calls <- c
				}
			case <-n.Context().Done():
				return
			}
		}
	}()

	return calls
}

// Balance returns what an account has, and what is reserved of it.
func (n *Network) Balance(s Subscriber) (balance, reserved int64) {
	n.Helper()

	var account struct{ Balance, Reserved int64 }
	n.OCS("GET", "/accounts/"+s.Name, nil, &account)

	return account.Balance, account.Reserved
}
