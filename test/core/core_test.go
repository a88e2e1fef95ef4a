// Package core tests the five functions together, as they are built and run: through Gm, ISC and their APIs.
package core

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

const domain = "ims.mnc001.mcc001.3gppnetwork.org"

var binaries string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dialtone-core")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	binaries = dir
	for _, name := range functions {
		build := exec.Command("go", "build", "-race", "-o", filepath.Join(dir, name), "../../"+name)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n%s", name, err, out)
			os.Exit(1)
		}
	}

	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

var functions = []string{"hss", "ocs", "scscf", "icscf", "pcscf"}

var admins = map[string]string{
	"pcscf": "http://127.0.0.10:9090", "icscf": "http://127.0.0.11:9090", "scscf": "http://127.0.0.12:9090",
	"hss": "http://127.0.0.13:9090", "ocs": "http://127.0.0.14:9090",
}

// network is the five functions of one test.
type network struct {
	*testing.T
	data    string
	running map[string]*exec.Cmd
	next    int // of subscribers
}

func start(t *testing.T, environment ...string) *network {
	t.Helper()

	n := &network{T: t, data: t.TempDir(), running: map[string]*exec.Cmd{}}
	t.Cleanup(n.stop)

	for _, name := range functions {
		n.run(name, environment...)
	}
	n.ocs("PUT", "/tariffs/standard", map[string]any{"name": "standard", "rates": []any{map[string]any{
		"prefix": "", "price": 1, "interval": 1, "increment": 1, "event_price": 10,
	}}}, nil)

	return n
}

func (n *network) run(name string, environment ...string) {
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
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		n.Fatal(err)
	}
	n.running[name] = command
	n.await(name+" to be ready", func() bool {
		return httpapi.Client{Base: admins[name]}.Do(context.Background(), "GET", "/readyz", nil, nil) == nil
	})
}

func (n *network) stop() {
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
		text, err := os.ReadFile(filepath.Join(n.data, name+".log"))
		if err != nil {
			n.Error(err)
		}
		if strings.Contains(string(text), "DATA RACE") || strings.Contains(string(text), "panic") {
			n.Errorf("%s: a data race or a panic", name)
		}
		if n.Failed() {
			n.Logf("the log of %s:\n%s", name, text[max(0, len(text)-4000):])
		}
	}
}

// kill ends a function as a power cut does.
func (n *network) kill(name string) {
	_ = n.running[name].Process.Kill()
	_ = n.running[name].Wait()
	n.running[name] = nil
}

func (n *network) await(what string, condition func() bool) {
	n.Helper()

	deadline := time.After(30 * time.Second)
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

func (n *network) hss(method, path string, in, out any) {
	n.Helper()

	if err := (httpapi.Client{Base: admins["hss"]}).Do(n.Context(), method, path, in, out); err != nil {
		n.Fatal(err)
	}
}

func (n *network) ocs(method, path string, in, out any) {
	n.Helper()

	if err := (httpapi.Client{Base: admins["ocs"]}).Do(n.Context(), method, path, in, out); err != nil {
		n.Fatal(err)
	}
}

const (
	k   = "465b5ce8b199b49faa5f0a2ee238a6bc"
	opc = "cd63cb71954a9f4e48a5994e37a02baf"
)

// subscriber is one that the HSS knows, with its money.
type subscriber struct {
	imsi, msisdn, name string
	address            string
}

func (n *network) subscribe(balance int64, profile string) subscriber {
	n.Helper()

	n.next++
	s := subscriber{
		imsi: fmt.Sprintf("00101%010d", n.next), msisdn: fmt.Sprintf("1555%04d", n.next), name: fmt.Sprintf("user%d", n.next),
		address: fmt.Sprintf("127.0.1.%d:5060", n.next),
	}
	body := map[string]any{"imsi": s.imsi, "msisdn": s.msisdn, "authentication": map[string]string{"k": k, "opc": opc}}
	if profile != "" {
		body["service_profile"] = profile
	}
	n.hss("POST", "/subscribers", body, nil)
	n.ocs("POST", "/accounts", map[string]any{"name": s.name, "balance": balance, "identities": []string{"tel:+" + s.msisdn}}, nil)

	return s
}

func (s subscriber) tel() string { return "tel:+" + s.msisdn }

// handset is the subscriber's, not yet registered. change may make it another one than the HSS thinks.
func (n *network) handset(s subscriber, change func(*handset.Config)) *handset.Handset {
	n.Helper()

	c := handset.Config{
		IMSI: s.imsi, Domain: domain, K: key(k), OPc: key(opc), Transport: "UDP", Expires: 600,
		Address: netip.MustParseAddrPort(s.address), Proxy: netip.MustParseAddrPort("127.0.0.10:5060"),
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

func key(text string) [16]byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}

	return [16]byte(b)
}

func (n *network) registered(s subscriber, change func(*handset.Config)) *handset.Handset {
	n.Helper()

	h := n.handset(s, change)
	if err := h.Register(n.Context()); err != nil {
		n.Fatal(err)
	}

	return h
}

// status is that of a refusal, or 0.
func status(err error) int {
	var refused *handset.Refused
	if errors.As(err, &refused) {
		return refused.Response.StatusCode
	}

	return 0
}

// answering takes every call that comes.
func (n *network) answering(h *handset.Handset) <-chan *handset.Call {
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

func (n *network) balance(s subscriber) (balance, reserved int64) {
	n.Helper()

	var account struct{ Balance, Reserved int64 }
	n.ocs("GET", "/accounts/"+s.name, nil, &account)

	return account.Balance, account.Reserved
}

func TestRegistration(t *testing.T) {
	n := start(t)
	alice := n.subscribe(1000, "")

	t.Run("over UDP, refreshed, taken back", func(t *testing.T) {
		h := n.registered(alice, nil)
		if got := h.Identities(); len(got) != 2 || !slices.Contains(got, alice.tel()) {
			t.Errorf("identities %v", got)
		}
		if err := h.Register(t.Context()); err != nil {
			t.Errorf("refreshing: %v", err)
		}
		if err := h.SubscribeReg(t.Context()); err != nil {
			t.Logf("reg event: %v", err)
		}
		if err := h.Deregister(t.Context()); err != nil {
			t.Errorf("taking it back: %v", err)
		}
	})

	t.Run("over TCP", func(t *testing.T) {
		bob := n.subscribe(0, "")
		n.registered(bob, func(c *handset.Config) { c.Transport = "TCP" })
	})

	t.Run("TS 33.102 §6.3.5 a SIM that is ahead resynchronises", func(t *testing.T) {
		carol := n.subscribe(0, "")
		h := n.registered(carol, func(c *handset.Config) { c.SQN = aka.SQN(1 << 30) })
		if got := h.SIM().SQN(); got <= 1<<30 {
			t.Errorf("SQN %d, want more than where the SIM was", got)
		}
	})

	t.Run("another K: the SIM refuses the network", func(t *testing.T) {
		dave := n.subscribe(0, "")
		h := n.handset(dave, func(c *handset.Config) { c.K[0]++ })
		if err := h.Register(t.Context()); !errors.Is(err, aka.ErrMAC) {
			t.Errorf("got %v, want ErrMAC", err)
		}
	})

	t.Run("TS 24.229 §5.3.1.2 a subscriber that nobody knows: 403", func(t *testing.T) {
		h := n.handset(subscriber{imsi: "001019999999999", address: "127.0.1.200:5060"}, nil)
		if err := h.Register(t.Context()); status(err) != 403 {
			t.Errorf("got %v, want 403", err)
		}
	})
}

func TestCalls(t *testing.T) {
	n := start(t)
	alice, bob, carol := n.subscribe(1000, ""), n.subscribe(0, ""), n.subscribe(5, "")
	a, b, c := n.registered(alice, nil), n.registered(bob, func(c *handset.Config) { c.Transport = "TCP" }), n.registered(carol, nil)
	answered := n.answering(b)

	t.Run("answered, and hung up by the caller", func(t *testing.T) {
		call, err := a.Dial(t.Context(), bob.tel())
		if err != nil {
			t.Fatal(err)
		}
		other := <-answered
		if err := call.HangUp(t.Context()); err != nil {
			t.Error(err)
		}
		<-other.Ended()
		n.await("the settlement", func() bool { _, reserved := n.balance(alice); return reserved == 0 })
		if balance, _ := n.balance(alice); balance >= 1000 || balance < 990 {
			t.Errorf("balance %d after a call of a second or two at 1 each", balance)
		}
	})

	t.Run("by sip URI, and hung up by the callee", func(t *testing.T) {
		call, err := a.Dial(t.Context(), "sip:+"+bob.msisdn+"@"+domain)
		if err != nil {
			t.Fatal(err)
		}
		if err := (<-answered).HangUp(t.Context()); err != nil {
			t.Error(err)
		}
		<-call.Ended()
		n.await("the settlement", func() bool { _, reserved := n.balance(alice); return reserved == 0 })
	})

	t.Run("RFC 3261 §9 given up while it rings: 487, and nothing is charged", func(t *testing.T) {
		before, _ := n.balance(alice)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := a.Dial(ctx, carol.tel()); status(err) != 487 {
			t.Errorf("got %v, want 487", err)
		}
		n.await("the settlement", func() bool { balance, reserved := n.balance(alice); return reserved == 0 && balance == before })
	})

	t.Run("TS 24.229 §5.4.5.1.2 the credit ends: both sides are released", func(t *testing.T) {
		call, err := c.Dial(t.Context(), bob.tel())
		if err != nil {
			t.Fatal(err)
		}
		other := <-answered
		for _, side := range []*handset.Call{call, other} {
			select {
			case <-side.Ended():
			case <-time.After(20 * time.Second):
				t.Fatal("a side was not released")
			}
			if !strings.Contains(side.Why(), "credit") {
				t.Errorf("BYE says %q", side.Why())
			}
		}
		n.await("the settlement", func() bool { balance, reserved := n.balance(carol); return balance == 0 && reserved == 0 })
	})

	t.Run("TS 32.260 §5.2.2 no credit: 402 before the callee rings", func(t *testing.T) {
		if _, err := c.Dial(t.Context(), bob.tel()); status(err) != 402 {
			t.Errorf("got %v, want 402", err)
		}
	})

	t.Run("TS 24.229 §5.3.2.1 a number that nobody has: 404", func(t *testing.T) {
		if _, err := a.Dial(t.Context(), "tel:+19990000"); status(err) != 404 {
			t.Errorf("got %v, want 404", err)
		}
	})

	t.Run("a callee that is not registered: 480", func(t *testing.T) {
		dave := n.subscribe(0, "")
		if _, err := a.Dial(t.Context(), dave.tel()); status(err) != 480 {
			t.Errorf("got %v, want 480", err)
		}
	})

	t.Run("RFC 3428 a message", func(t *testing.T) {
		response, err := a.Message(t.Context(), bob.tel(), "hello")
		if err != nil || response.StatusCode != 200 {
			t.Fatalf("%v %v", response, err)
		}
		if m := <-b.Messages(); string(m.Body) != "hello" {
			t.Errorf("came as %q", m.Body)
		}
	})
}

// TestOCSDead: what happens without the OCS is configuration. The 503 of the S-CSCF is a 500 behind the P-CSCF (RFC 3261 §16.7 6).
func TestOCSDead(t *testing.T) {
	for handling, want := range map[string]int{"terminate": 500, "continue": 0} {
		t.Run(handling, func(t *testing.T) {
			n := start(t, "DIALTONE_SCSCF_SESSIONS_CHARGING_FAILURE_HANDLING="+handling)
			alice, bob := n.subscribe(1000, ""), n.subscribe(0, "")
			a, b := n.registered(alice, nil), n.registered(bob, nil)
			answered := n.answering(b)
			n.kill("ocs")

			call, err := a.Dial(t.Context(), bob.tel())
			if status(err) != want || (want == 0) != (err == nil) {
				t.Fatalf("got %v, want status %d", err, want)
			}
			if err == nil {
				<-answered
				if err := call.HangUp(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestHSSDead: a dead HSS is not an unknown user.
func TestHSSDead(t *testing.T) {
	n := start(t)
	alice := n.subscribe(0, "")
	n.kill("hss")

	if err := n.handset(alice, nil).Register(t.Context()); status(err) != 480 {
		t.Errorf("got %v, want 480", err)
	}

	n.run("hss")
	n.await("the I-CSCF and the S-CSCF to find the HSS again", func() bool {
		return n.handsetRegisters(alice)
	})
}

func (n *network) handsetRegisters(s subscriber) bool {
	h, err := handset.New(handset.Config{
		IMSI: s.imsi, Domain: domain, K: key(k), OPc: key(opc), Transport: "UDP", Expires: 600,
		Address: netip.MustParseAddrPort("127.0.1.250:0"), Proxy: netip.MustParseAddrPort("127.0.0.10:5060"),
	})
	if err != nil {
		n.Fatal(err)
	}
	defer h.Close()

	return h.Register(n.Context()) == nil
}
