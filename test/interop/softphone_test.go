package interop

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/child"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
	"github.com/dialtone-ims/dialtone/ue/namespace"
)

// Prices of the suite, whatever the length: so that each call has one.
const callPrice, messagePrice = 7, 10

// pcscf is where phones find it: not at the loopback interface, which each has for itself.
const pcscf = "198.51.100.1"

// within says which network namespaces the test process is at the core's end of.
const within = "DIALTONE_INTEROP_WITHIN"

// TestSoftphones has baresip and linphone, as Debian ships them, register, call each other and a simulated handset, and hold, cancel,
// decline, send messages and register anew, over UDP and over TCP; and looks at the money after each.
func TestSoftphones(t *testing.T) {
	name := os.Getenv(within)
	if name == "" {
		inNamespaces(t)
		return
	}

	for _, transport := range []string{"UDP", "TCP"} {
		t.Run(transport, func(t *testing.T) {
			s, phones := softphones(t, transport, name)
			s.each(phones)
		})
	}

	t.Run("TCP, after the connection was closed", func(t *testing.T) {
		s, phones := softphones(t, "TCP", name, "DIALTONE_PCSCF_SIP_LIMITS_TCP_IDLE=2s")
		bella, luca, ours := phones[0], phones[1], phones[2]

		for number, p := range map[int]phone{1: bella, 3: ours} { // linphone connects again at once
			s.Await("the idle connection to be closed", func() bool { return !connected(t, number) })
			s.call(luca, p, func() {})
		}
	})
}

// softphones starts the core and the phones, and waits until they are registered.
func softphones(t *testing.T, transport, name string, environment ...string) (*suite, []phone) {
	t.Helper()

	n := network.Start(t, append(environment, fmt.Sprintf(`DIALTONE_PCSCF_SIP_ENDPOINTS=[
		{name: Gm, address: "127.0.0.10:5060", transports: [udp, tcp]}, {name: Phones, address: "%s:5060", transports: [udp, tcp]},
		{name: Mw, address: "127.0.0.10:5070", transports: [udp, tcp]}]`, pcscf),
		"DIALTONE_SCSCF_REGISTRAR_MIN_EXPIRES=1s")...)

	s := &suite{Network: n, T: t, left: map[string]int64{}}
	n.OCS("PUT", "/tariffs/standard", map[string]any{"name": "standard", "rates": []any{map[string]any{
		"prefix": "", "connection_fee": callPrice, "price": 0, "interval": 1, "increment": 1, "event_price": messagePrice - callPrice,
	}}}, nil)

	phones := []phone{
		newBaresip(t, s.subscribe("bella", "15550011"), transport, name),
		newLinphone(t, s.subscribe("luca", "15550012"), transport, name),
		s.simulated(transport, name),
	}

	for _, p := range phones {
		p.await(registered)
	}

	return s, phones
}

// each has each phone do everything with each other one.
func (s *suite) each(phones []phone) {
	t := s.T

	for _, a := range phones {
		for _, b := range phones {
			if a != b {
				t.Run(a.named()+" and "+b.named(), func(t *testing.T) { s.T = t; s.pair(a, b) })
			}
		}
	}

	s.T = t
	t.Run("registers again", func(t *testing.T) {
		s.T = t

		for _, p := range phones {
			before := s.expiry(p)
			if h, ours := p.(*simulated); ours {
				h.again()
			}

			s.Await(p.named()+" to register again", func() bool { return s.expiry(p).After(before) })
		}
	})
}

// suite is the core, and what each subscriber must have left.
type suite struct {
	*network.Network
	T    *testing.T
	left map[string]int64
}

// subscribe makes a user with a password, a number and an account.
func (s *suite) subscribe(name, number string) account {
	a := account{name, "secret-" + name, number}

	s.HSS(
		"POST",
		"/subscribers",
		map[string]any{"user": a.name, "msisdn": number, "authentication": map[string]string{"password": a.password}},
		nil,
	)
	s.OCS("POST", "/accounts", map[string]any{"name": name, "balance": 1000, "identities": []string{"tel:+" + number}}, nil)
	s.left[name] = 1000

	return a
}

// simulated is our own handset, with a card.
func (s *suite) simulated(transport, name string) phone {
	who := s.Subscribe(1000, "")
	s.left[who.Name] = 1000
	h := s.Handset(who, func(c *handset.Config) {
		c.Network, c.Transport = namespace.Network(name+"-3"), transport
		c.Address, c.Proxy = address(3), proxy
	})

	return newSimulated(s.Network.T, h, who)
}

// connected reports whether the phone of this number has a SIP connection.
func connected(t *testing.T, number int) bool {
	t.Helper()

	text, err := os.ReadFile("/proc/self/net/tcp")
	if err != nil {
		t.Fatal(err)
	}

	const sip, established = ":13C4", "01"

	for line := range strings.Lines(string(text)) { // proc_pid_net(5): number, local, remote, state
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[3] != established || !strings.HasPrefix(fields[2], fmt.Sprintf("02%02X080A:", number)) {
			continue
		}

		if strings.HasSuffix(fields[1], sip) || strings.HasSuffix(fields[2], sip) {
			return true
		}
	}

	return false
}

// expiry is when the registration of a phone ends.
func (s *suite) expiry(p phone) time.Time {
	var registration struct {
		Contacts []struct{ Expires time.Time }
	}

	s.SCSCF("GET", "/registrations/"+url.PathEscape(p.identity()), nil, &registration)

	if len(registration.Contacts) != 1 {
		s.T.Fatalf("%s has the contacts %v", p.named(), registration.Contacts)
	}

	return registration.Contacts[0].Expires
}

// pair is everything that one phone does with another.
func (s *suite) pair(a, b phone) {
	s.T.Run("calls", func(*testing.T) { s.call(a, b, func() {}) })

	if h, can := a.(holder); can {
		s.T.Run("holds", func(*testing.T) {
			s.call(a, b, func() {
				h.hold()
				b.await(held)
				h.resume()
				b.await(resumed)
			})
		})
	}

	if w, can := a.(writer); can {
		s.T.Run("writes", func(*testing.T) {
			w.message(b.uri())

			if _, reads := b.(*simulated); reads {
				b.await(message)
			}

			s.paid(a, messagePrice)
		})
	}

	s.T.Run("is hung up on", func(*testing.T) {
		s.begin(a, b)
		b.hangUp()
		s.ended(a, b)
		s.paid(a, callPrice)
	})

	s.T.Run("cancels", func(*testing.T) {
		a.dial(b.uri())
		b.await(incoming)
		a.await(ringing)
		a.hangUp()
		s.ended(a, b)
		s.paid(a, 0)
	})

	s.T.Run("is declined", func(*testing.T) {
		a.dial(b.uri())
		b.await(incoming)
		b.hangUp()
		s.ended(a, b)
		s.paid(a, 0)
	})
}

func (s *suite) begin(a, b phone) {
	a.dial(b.uri())
	b.await(incoming)
	b.answer()
	a.await(talking)
	b.await(talking)
}

func (s *suite) call(a, b phone, talk func()) {
	s.T.Helper()
	s.begin(a, b)
	talk()
	a.hangUp()
	s.ended(a, b)
	s.paid(a, callPrice)
}

func (s *suite) ended(all ...phone) {
	for _, p := range all {
		p.await(ended)
	}
}

// paid waits until a phone has paid this much more, and nobody anything else.
func (s *suite) paid(by phone, amount int64) {
	s.T.Helper()

	s.left[by.named()] -= amount
	var balance, reserved int64

	s.Await(fmt.Sprintf("%s to have paid %d", by.named(), amount), func() bool {
		balance, reserved = s.Balance(network.Subscriber{Name: by.named()})
		return balance <= s.left[by.named()] && reserved == 0
	})

	for name, left := range s.left {
		if balance, _ := s.Balance(network.Subscriber{Name: name}); balance != left {
			s.T.Errorf("%s has %d, want %d", name, balance, left)
			s.left[name] = balance
		}
	}
}

// inNamespaces runs the test again in a network namespace of its own, with three others around it, one for each phone.
func inNamespaces(t *testing.T) {
	name := fmt.Sprintf("dialtone-interop-%d", os.Getpid())
	script := fmt.Sprintf("netns add %s\n-n %[1]s link set lo up\n-n %[1]s addr add %s/32 dev lo\n", name, pcscf)

	t.Cleanup(func() {
		for _, suffix := range []string{"", "-1", "-2", "-3"} {
			_ = exec.Command("ip", "netns", "del", name+suffix).Run()
		}
	})

	for i := 1; i <= 3; i++ {
		script += fmt.Sprintf(
			"netns add %[1]s-%[2]d\n-n %[1]s-%[2]d link set lo up\n-n %[1]s link add phone%[2]d type veth peer name gm netns %[1]s-%[2]d\n"+
				"-n %[1]s addr add 10.8.%[2]d.1/24 dev phone%[2]d\n-n %[1]s link set phone%[2]d up\n"+
				"-n %[1]s-%[2]d addr add 10.8.%[2]d.2/24 dev gm\n-n %[1]s-%[2]d link set gm up\n-n %[1]s-%[2]d route add default via 10.8.%[2]d.1\n",
			name,
			i,
		)
	}

	for line := range strings.Lines(script) {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v, %s\nThe phones need network namespaces, and so root.", line, err, out)
		}
	}

	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSoftphones$", "-test.v", "-test.timeout=8m")
	command.Env = append(os.Environ(), within+"="+name)
	child.Bind(command, syscall.SIGTERM)

	var out strings.Builder
	command.Stdout, command.Stderr = &out, &out

	err := namespace.Network(name).Do(command.Start)
	if err == nil {
		err = command.Wait()
	}

	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}

	t.Log(out.String())
}
