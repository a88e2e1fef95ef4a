package compose

import (
	"context"
	"encoding/hex"
	"encoding/json"
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

	"github.com/dialtone-ims/dialtone/pkg/child"
	"github.com/dialtone-ims/dialtone/ue/handset"
	"github.com/dialtone-ims/dialtone/ue/namespace"
)

const (
	k   = "465b5ce8b199b49faa5f0a2ee238a6bc"
	opc = "cd63cb71954a9f4e48a5994e37a02baf"
)

// core is the five functions with exactly the environment of the Compose file, but for the folder of their data, at its addresses: in
// a network namespace whose loopback has them all.
type core struct {
	*testing.T
	file      file
	namespace string
	data      string
}

func start(t *testing.T, f file) *core {
	t.Helper()

	c := &core{T: t, file: f, namespace: fmt.Sprintf("compose-%d", os.Getpid()), data: t.TempDir()}
	c.ip("netns", "add", c.namespace)
	t.Cleanup(func() { c.ip("netns", "delete", c.namespace) })
	c.ip("-n", c.namespace, "link", "set", "lo", "up")

	addresses := []string{"172.30.10.110", "172.30.10.111"} // of handsets
	for name := range f.Services {
		addresses = append(addresses, f.address(name))
	}
	for _, address := range addresses {
		c.ip("-n", c.namespace, "address", "add", address+"/32", "dev", "lo")
	}

	order, err := f.order()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range order {
		if len(f.Services[name].Profiles) == 0 {
			c.run(name)
		}
	}

	return c
}

func (c *core) ip(args ...string) {
	c.Helper()

	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		c.Fatalf("ip %s: %v: %s (network namespaces need root and iproute2)", strings.Join(args, " "), err, out)
	}
}

// inside is a command of a function, in the namespace, with the environment of its service.
func (c *core) inside(name string, args ...string) *exec.Cmd {
	command := exec.Command("ip", slices.Concat([]string{"netns", "exec", c.namespace, filepath.Join(binaries, name)}, args)...)
	command.Env = append(c.file.variables(name, filepath.Join(c.data, name)), "PATH="+os.Getenv("PATH"))

	return command
}

// run starts a function and waits for its health, as an engine does.
func (c *core) run(name string) {
	c.Helper()

	log, err := os.Create(filepath.Join(c.data, name+".log"))
	if err != nil {
		c.Fatal(err)
	}

	command := c.inside(name)
	command.Stdout, command.Stderr = log, log
	child.Bind(command, syscall.SIGKILL)
	if err := command.Start(); err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil {
			c.Errorf("%s ended with %v", name, err)
		}
		log.Close()
		if text, err := os.ReadFile(log.Name()); c.Failed() {
			c.Logf("the log of %s (%v):\n%s", name, err, text[max(0, len(text)-3000):])
		}
	})

	var said []byte
	c.await(name+" to be healthy", func() bool {
		said, err = c.inside(name, "--healthy").CombinedOutput()
		return err == nil
	}, &said)
}

func (c *core) await(what string, condition func() bool, said *[]byte) {
	c.Helper()

	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()

	for !condition() {
		select {
		case <-deadline:
			c.Fatalf("waited in vain for %s: %s", what, *said)
		case <-tick.C:
		}
	}
}

// ask runs a command of the HSS or OCS against its API, as `docker compose exec` does.
func (c *core) ask(name string, args ...string) []byte {
	c.Helper()

	out, err := c.inside(name, append(args, "--json", "--api", "http://"+c.file.address(name)+":9090")...).CombinedOutput()
	if err != nil {
		c.Fatalf("%s %v: %v: %s", name, args, err, out)
	}

	return out
}

func (c *core) balance() (account struct{ Balance, Reserved int64 }) {
	c.Helper()

	if err := json.Unmarshal(c.ask("ocs", "account", "show", "user1"), &account); err != nil {
		c.Fatal(err)
	}

	return account
}

func (c *core) handset(n int, domain string) *handset.Handset {
	c.Helper()

	h, err := handset.New(handset.Config{
		IMSI: imsi(n), Domain: domain, K: key(c.T, k), OPc: key(c.T, opc), Transport: "UDP", Expires: 600,
		Address: netip.MustParseAddrPort(
			fmt.Sprintf("172.30.10.11%d:5060", n-1),
		), Proxy: netip.MustParseAddrPort(c.file.address("pcscf") + ":5060"),
		Network: namespace.Network(c.namespace),
	})
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		if err := h.Close(); err != nil {
			c.Error(err)
		}
	})
	if err := h.Register(c.Context()); err != nil {
		c.Fatalf("subscriber %d: %v", n, err)
	}

	return h
}

func imsi(n int) string { return fmt.Sprintf("00101%010d", n) }

func key(t *testing.T, text string) [16]byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}

	return [16]byte(b)
}

func TestChargedCall(t *testing.T) {
	for _, domain := range []string{"ims.mnc001.mcc001.3gppnetwork.org", "ims.mnc070.mcc999.3gppnetwork.org"} {
		t.Run(domain, func(t *testing.T) {
			c := start(t, read(t, map[string]string{"IMS_DOMAIN": domain}))

			tariff := filepath.Join(c.data, "tariff.json")
			if err := os.WriteFile(
				tariff,
				[]byte(`{"name": "standard", "rates": [{"prefix": "", "price": 1, "interval": 1, "increment": 1}]}`),
				0o600,
			); err != nil {
				t.Fatal(err)
			}
			c.ask("ocs", "tariff", "set", "standard", tariff)
			for n := 1; n <= 2; n++ {
				c.ask("hss", "subscriber", "add", "--imsi", imsi(n), "--msisdn", fmt.Sprintf("1555000%d", n), "--k", k, "--opc", opc)
				c.ask("ocs", "account", "add", fmt.Sprintf("user%d", n), "--identity", fmt.Sprintf("tel:+1555000%d", n), "--balance", "1000")
			}
			alice, bob := c.handset(1, domain), c.handset(2, domain)

			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()

			answered := make(chan error, 1)
			go func() {
				select {
				case call := <-bob.Incoming():
					answered <- call.Answer(ctx)
				case <-ctx.Done():
					answered <- ctx.Err()
				}
			}()
			call, err := alice.Dial(ctx, "tel:+15550002")
			if err != nil {
				t.Fatal(err)
			}
			if err := <-answered; err != nil {
				t.Fatal(err)
			}
			if err := call.HangUp(ctx); err != nil {
				t.Fatal(err)
			}

			var said []byte
			c.await("the call to be paid", func() bool {
				account := c.balance()
				said = fmt.Appendf(nil, "%+v", account)
				return account.Balance < 1000 && account.Reserved == 0
			}, &said)
		})
	}
}
