package association

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/agreement"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// kernel stands for the real one.
type kernel struct {
	sync.Mutex
	sets map[uint32]time.Time // their ends
	spi  uint32
	held map[uint32]bool
	full bool
	used [4]ipsec.Counters // of every set
}

func (k *kernel) Install(s ipsec.Set, life time.Duration) error {
	k.Lock()
	defer k.Unlock()

	if k.full {
		return errors.New("no buffer space")
	}

	if s.IK == [16]byte{} || s.CK == [16]byte{} {
		return errors.New("no keys")
	}

	if _, twice := k.sets[s.ReqID]; twice {
		return fmt.Errorf("reqid %d twice", s.ReqID)
	}

	k.sets[s.ReqID] = time.Now().Add(life)

	return nil
}

func (k *kernel) Prolong(s ipsec.Set, life time.Duration) error {
	k.Lock()
	defer k.Unlock()

	k.sets[s.ReqID] = time.Now().Add(life)
	return nil
}

func (k *kernel) Remove(s ipsec.Set) error {
	k.Lock()
	defer k.Unlock()

	delete(k.sets, s.ReqID)
	return nil
}

func (k *kernel) AllocateSPI(netip.Addr, netip.Addr) (uint32, error) {
	k.Lock()
	defer k.Unlock()

	k.spi++
	k.held[k.spi] = true

	return k.spi, nil
}

func (k *kernel) ReleaseSPI(spi uint32) {
	k.Lock()
	defer k.Unlock()

	delete(k.held, spi)
}

func (k *kernel) Use(s ipsec.Set) (all [4]ipsec.Counters, err error) {
	k.Lock()
	defer k.Unlock()

	if _, there := k.sets[s.ReqID]; !there {
		return all, errors.New("no such set")
	}

	all = k.used
	for i, a := range s.Associations() {
		all[i].Association = a
	}

	return all, nil
}

type bench struct {
	*Table
	t        *testing.T
	kernel   *kernel
	sipStack *stack.Stack
	kept     map[uint32]Kept
	network  *memory.Network
}

// listen gives what is logged from now on.
func (b *bench) listen() *memory.Log {
	l := &memory.Log{}
	b.log = l.Logger()

	return l
}

func (b *bench) Keep(k Kept) {
	b.kernel.Lock()
	defer b.kernel.Unlock()

	b.kept[k.Set.ReqID] = k
}

func (b *bench) Forget(reqID uint32) {
	b.kernel.Lock()
	defer b.kernel.Unlock()

	delete(b.kept, reqID)
}

const local = "192.0.2.1"

func newBench(t *testing.T, mode Mode, change ...func(*Settings)) *bench {
	endpoints := []stack.EndpointConfig{{Name: "Gm", Address: local + ":5060", Transports: []string{"udp", "tcp"}}}
	for _, e := range []string{"c:6100", "c:6101", "c:6102", "s:6110", "s:6111"} {
		kind, port, _ := strings.Cut(e, ":")
		endpoints = append(
			endpoints,
			stack.EndpointConfig{Name: kind + port, Address: local + ":" + port, Transports: []string{"udp", "tcp"}, FixedPort: true},
		)
	}

	network, c := memory.New(), stack.DefaultConfig(endpoints...)
	c.Limits.TCPMessageTime = time.Hour

	sipStack, err := stack.New(c, nil, stack.Options{Network: network})
	if err != nil {
		t.Fatal(err)
	}

	address := netip.MustParseAddr(local)
	ports := &Ports{
		Clients: map[netip.Addr][]*stack.Endpoint{address: {sipStack.Endpoint("c6100"), sipStack.Endpoint("c6101"), sipStack.Endpoint("c6102")}},
		Servers: map[netip.Addr][]*stack.Endpoint{address: {sipStack.Endpoint("s6110"), sipStack.Endpoint("s6111")}},
	}
	settings := Settings{
		Modes: map[string]Mode{
			"Gm": mode,
		}, Suites: ipsec.Suites, AwaitAuth: 4 * time.Minute, Grace: 30 * time.Second, Linger: 32 * time.Second, MaxSets: 100,
	}

	for _, f := range change {
		f(&settings)
	}

	b := &bench{
		t: t, kernel: &kernel{sets: map[uint32]time.Time{}, spi: 4095, held: map[uint32]bool{}}, sipStack: sipStack, network: network,
		kept: map[uint32]Kept{},
	}
	b.Table = New(
		settings,
		Options{
			Kernel:     b.kernel,
			Ports:      ports,
			Keep:       b,
			Log:        slog.New(slog.DiscardHandler),
			Metrics:    prometheus.NewRegistry(),
			FirstReqID: 1000,
			LastReqID:  1009,
		},
	)
	t.Cleanup(func() { b.Close(); sipStack.RemoveEndpoint(sipStack.Endpoint("Gm")) })

	return b
}

const (
	private = "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
	offer   = "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;prot=esp;mod=trans;spi-c=%d;spi-s=%d;port-c=%d;port-s=%d"
)

var ue = netip.MustParseAddr("192.0.2.100")

// request is one of the handset's; authorization holds its parameters besides username.
func (b *bench) request(method string, headers ...string) *sip.Request {
	b.t.Helper()

	r, err := sip.NewRequest(method, "sip:ims.mnc001.mcc001.3gppnetwork.org")
	if err != nil {
		b.t.Fatal(err)
	}

	if _, err := sip.Complete(r, "<sip:a@b>;tag=1", "<sip:a@b>", "x", 1); err != nil {
		b.t.Fatal(err)
	}

	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		sip.Add(r, name, value)
	}

	return r
}

func authorization(parameters string) string {
	return `Authorization: Digest username="` + private + `",realm="r",uri="sip:r",` + parameters
}

func (b *bench) clear() stack.Flow {
	return b.flow("Gm", "UDP", 5060)
}

func (b *bench) flow(endpoint, transport string, port uint16) stack.Flow {
	e := b.sipStack.Endpoint(endpoint)
	return stack.Flow{Endpoint: e, Transport: transport, Local: e.Address(), Remote: netip.AddrPortFrom(ue, port)}
}

var keys = agreement.Keys{CK: hex.EncodeToString([]byte("0123456789abcdef")), IK: hex.EncodeToString([]byte("fedcba9876543210"))}

// challenge goes through SM1 to SM6 and gives the Security-Server.
func (b *bench) challenge(flow stack.Flow, n, portClient, portServer int, headers ...string) string {
	b.t.Helper()

	r := b.request("REGISTER", append(headers, fmt.Sprintf("Security-Client: "+offer, 1000*n, 1000*n+1, portClient, portServer),
		"Require: sec-agree", authorization(`nonce="",response=""`))...)
	if refusal := b.Screen(r, flow); refusal != nil {
		b.t.Fatalf("%d %v", refusal.Status, refusal)
	}

	response := sip.NewResponse(r, 401, "")
	sip.Set(response, "WWW-Authenticate", fmt.Sprintf(`Digest realm="r",nonce="nonce%d",algorithm=AKAv1-MD5`, n))

	if err := b.Challenge(r, flow, response, keys); err != nil {
		b.t.Fatal(err)
	}

	server := sip.Value(response, "Security-Server")
	if server == "" {
		b.t.Fatal("the 401 has no Security-Server")
	}

	return server
}

// protected is the way from the handset's port to the server port that Security-Server names.
func (b *bench) protected(server string, port uint16) stack.Flow {
	_, after, _ := strings.Cut(server, "port-s=")
	return b.flow("s"+after, "UDP", port)
}

func clientPort(server string) string {
	_, after, _ := strings.Cut(server, "port-c=")
	port, _, _ := strings.Cut(after, ";")

	return port
}

func answer(server string, n, portClient, portServer int) []string {
	return []string{
		fmt.Sprintf("Security-Client: "+offer, 1000*n, 1000*n+1, portClient, portServer), "Security-Verify: " + server, "Require: sec-agree",
		authorization(fmt.Sprintf(`nonce="nonce%d",response="00000000000000000000000000000000"`, n)),
	}
}

func (b *bench) screen(want int, flow stack.Flow, method string, headers ...string) *sip.Response {
	b.t.Helper()

	r := b.request(method, headers...)
	refusal := b.Screen(r, flow)
	got := 0

	if refusal != nil {
		got = refusal.Status
	}

	if got != want {
		b.t.Errorf("%s over %s: %d, want %d (%v)", method, flow, got, want, refusal)
	}

	if refusal == nil {
		return nil
	}

	return refusal.Response(r)
}

// states counts the sets: temporary, established, replaced, ending, and what the kernel has.
func (b *bench) states(want ...int) {
	b.t.Helper()
	synctest.Wait()
	b.kernel.Lock()
	defer b.kernel.Unlock()

	got := []int{b.Count(temporary), b.Count(established), b.Count(replaced), b.Count(ending)}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Errorf("temporary, established, replaced, ending: %v, want %v", got, want)
	}

	total := 0
	for _, n := range want {
		total += n
	}

	if len(b.kernel.sets) != total || len(b.kernel.held) != 2*total {
		b.t.Errorf("the kernel has %d sets and %d SPIs are taken", len(b.kernel.sets), len(b.kernel.held))
	}
}

func (b *bench) lifetime(flow stack.Flow) time.Duration {
	id := b.find(flow).set.ReqID

	b.kernel.Lock()
	defer b.kernel.Unlock()

	return time.Until(b.kernel.sets[id])
}

// remembered is what a restart would find.
func (b *bench) remembered() []Kept {
	b.kernel.Lock()
	defer b.kernel.Unlock()

	return slices.Collect(maps.Values(b.kept))
}

// TS 33.203 §7.2, §7.4: from the 401 to the 200, and the end of a registration that is not refreshed.
func TestRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)

		b.states(1, 0, 0, 0)

		if life := b.lifetime(flow); life != 4*time.Minute {
			t.Errorf("temporary associations live for %s", life)
		}

		b.screen(403, flow, "INVITE")
		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)

		if !b.Protected(flow) || b.Protected(b.clear()) {
			t.Error("what is protected is taken for clear, or the reverse")
		}

		back := b.Return(flow)
		if back.Remote.Port() != 31001 || back.Endpoint.Name() != "c"+clientPort(server) || back.Named() != flow.Endpoint || !back.TakesTCP ||
			back != b.Return(back) {
			t.Errorf("the way back is %+v", back)
		}

		b.Established(back, 600)
		b.states(0, 1, 0, 0)

		if life := b.lifetime(flow); life != 630*time.Second {
			t.Errorf("the associations of a registration of 600 s live for %s", life)
		}

		b.screen(0, flow, "INVITE")
		time.Sleep(300 * time.Second)
		b.screen(0, flow, "REGISTER", "Security-Verify: "+server, authorization(`nonce="nonce1",response="x"`))
		b.Established(back, 600) // a refresh without challenge
		b.states(0, 1, 0, 0)

		if life := b.lifetime(flow); life != 630*time.Second {
			t.Errorf("after the refresh they live for %s", life)
		}

		time.Sleep(631 * time.Second)
		b.states(0, 0, 0, 0)
		b.screen(403, flow, "INVITE")

		if kept := b.remembered(); len(kept) != 0 {
			t.Errorf("still kept: %v", kept)
		}
	})
}

// A handset that never answers the 401 leaves nothing.
func TestSilentAfterChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		b.challenge(b.clear(), 1, 31000, 31001)
		time.Sleep(4*time.Minute + time.Second)
		b.states(0, 0, 0, 0)
	})
}

// Each challenge has a set of its own: also the one after a resynchronisation (open5gs#486).
func TestSetPerChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		first := b.challenge(b.clear(), 1, 31000, 31001)
		b.screen(
			0,
			b.clear(),
			"REGISTER",
			authorization(`nonce="nonce1",response="x",auts="AAAA"`),
			fmt.Sprintf("Security-Client: "+offer, 2000, 2001, 31002, 31001),
		)
		second := b.challenge(b.clear(), 2, 31002, 31001)

		b.states(1, 0, 0, 0)

		if first == second {
			t.Error("the second challenge has the associations of the first")
		}

		b.screen(403, b.protected(first, 31000), "REGISTER", answer(first, 1, 31000, 31001)...)
		b.screen(0, b.protected(second, 31002), "REGISTER", answer(second, 2, 31002, 31001)...)
	})
}

// A wrong answer inside the new associations is challenged again: they stay, because the 401 leaves through them and their
// SPIs cannot be another set's at the same time.
func TestChallengedAgainInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)
		b.again(flow, server)
		b.states(1, 0, 0, 0)
		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)
		b.Established(flow, 600)

		// The same when a refresh offers the SPIs that it comes by.
		b.again(flow, server)
		b.states(0, 1, 0, 0)

		if back := b.Return(flow); back.Remote.Port() != 31001 {
			t.Errorf("the 401 goes to %s", back)
		}
	})
}

// again is a challenge to a request that offers what is in use.
func (b *bench) again(flow stack.Flow, server string) {
	b.t.Helper()

	r := b.request("REGISTER", answer(server, 1, 31000, 31001)...)
	if refusal := b.Screen(r, flow); refusal != nil {
		b.t.Errorf("%v", refusal)
	}

	response := sip.NewResponse(r, 401, "")
	if err := b.Challenge(r, flow, response, keys); err != nil || sip.Has(response, "Security-Server") {
		b.t.Errorf("%v, %v", err, response)
	}
}

// TS 33.203 §7.4: old and new sets side by side on re-authentication; the old ones go when the new are first used.
func TestReauthentication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		first := b.challenge(b.clear(), 1, 31000, 31001)
		old := b.protected(first, 31000)
		b.screen(0, old, "REGISTER", answer(first, 1, 31000, 31001)...)
		b.Established(old, 3600)

		second := b.challenge(old, 2, 31002, 31001, "Security-Verify: "+first)
		fresh := b.protected(second, 31002)

		if clientPort(first) == clientPort(second) || old.Endpoint != fresh.Endpoint {
			t.Errorf("the P-CSCF's client port must change and its server port stay: %s, %s", first, second)
		}

		b.states(1, 1, 0, 0)
		b.screen(0, old, "INVITE") // still in use meanwhile
		b.screen(0, fresh, "REGISTER", answer(second, 2, 31002, 31001)...)
		b.Established(b.Return(fresh), 600)
		b.states(0, 1, 1, 0)

		if life := b.lifetime(fresh); life != 3630*time.Second {
			t.Errorf("the new associations live %s, the old ones longer", life)
		}

		b.screen(0, old, "BYE") // crossing
		b.states(0, 1, 1, 0)
		b.screen(0, fresh, "BYE", "Security-Verify: "+second)
		b.states(0, 1, 0, 1)
		b.screen(0, old, "BYE") // still on its way
		time.Sleep(33 * time.Second)
		b.states(0, 1, 0, 0)
	})
}

// The port pool does not run dry however often a handset authenticates anew (open5gs#486, open5gs#408), nor when it
// uses the same ports again.
func TestManyReauthentications(t *testing.T) {
	for name, next := range map[string]func(n int) int{
		"new client ports": func(n int) int { return 31000 + 2*n }, "the same client port": func(int) int { return 31000 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Optional)
				flow, verify := b.clear(), ""

				for n := 1; n <= 50; n++ {
					var headers []string
					if verify != "" {
						headers = []string{"Security-Verify: " + verify}
					}

					verify = b.challenge(flow, n, next(n), 31001, headers...)
					flow = b.protected(verify, uint16(next(n)))
					b.screen(0, flow, "REGISTER", answer(verify, n, next(n), 31001)...)
					b.Established(flow, 600)
					b.screen(0, flow, "INVITE")
				}

				if got := b.Count(established); got != 1 {
					t.Errorf("%d sets are established", got)
				}

				b.Ended(flow)
				time.Sleep(33 * time.Second)
				b.states(0, 0, 0, 0)
			})
		})
	}
}

// The client ports are used in turn, free or not: a handset may still have the associations that are gone here.
func TestClientPortsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		flow, verify := b.clear(), ""

		for n, port := range []string{"6100", "6101", "6102", "6100", "6101"} {
			verify = b.challenge(flow, n+1, 31000+2*n, 31001, "Security-Verify: "+verify)

			if clientPort(verify) != port {
				t.Errorf("set %d has the client port %s, want %s", n+1, clientPort(verify), port)
			}

			flow = b.protected(verify, uint16(31000+2*n))
			b.screen(0, flow, "REGISTER", answer(verify, n+1, 31000+2*n, 31001)...)
			b.Established(flow, 600)
			b.screen(0, flow, "INVITE")
			time.Sleep(time.Minute)
		}
	})
}

// TS 24.229 §5.2.5.1: the 200 of a de-registration and the NOTIFY leave through the set, then it goes.
func TestDeregistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)
		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)
		b.Established(flow, 600)
		b.Ended(b.Return(flow))
		b.states(0, 0, 0, 1)

		if back := b.Return(flow); back.Remote.Port() != 31001 {
			t.Errorf("the 200 goes to %s", back)
		}

		// The handset comes back at once, with the ports it had.
		again := b.challenge(b.clear(), 2, 31000, 31001)
		b.states(1, 0, 0, 1)
		b.screen(0, b.protected(again, 31000), "REGISTER", answer(again, 2, 31000, 31001)...)
		b.Established(b.protected(again, 31000), 600)
		time.Sleep(33 * time.Second)
		b.states(0, 1, 0, 0)
	})
}

// RFC 3329 §2.3: what is refused, and that nothing comes of it.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)
		good := answer(server, 1, 31000, 31001)

		for name, headers := range map[string][]string{
			"no Security-Verify":      {good[0], good[2], good[3]},
			"another Security-Verify": {good[0], strings.Replace(good[1], "q=0.1", "q=0.2", 1), good[3]},
			"a weaker algorithm":      {good[0], strings.Replace(good[1], "aes-cbc", "null", 1), good[3]},
			"another Security-Client": {strings.Replace(good[0], "aes-cbc", "null", 1), good[1], good[3]},
		} {
			refusal := b.screen(494, flow, "REGISTER", headers...)
			if refusal == nil || sip.Value(refusal, "Security-Server") != server || sip.Value(refusal, "Reason") == "" {
				t.Errorf("%s: %v", name, refusal)
			}
		}

		b.screen(
			403,
			flow,
			"REGISTER",
			good[0],
			good[1],
			`Authorization: Digest username="someone@else",realm="r",nonce="nonce1",uri="sip:r",response="x"`,
		)
		b.screen(403, b.flow("c"+clientPort(server), "TCP", 31001), "INVITE")
		b.screen(400, flow, "REGISTER", `Security-Verify: "`)
		b.screen(494, b.clear(), "REGISTER", good...) // the answer in clear
		b.screen(494, b.clear(), "REGISTER", good[3]) // without a word of the agreement
		b.screen(494, b.clear(), "REGISTER", "Require: sec-agree")
		b.screen(494, b.clear(), "REGISTER", "Proxy-Require: sec-agree", "Security-Client: tls")
		b.screen(400, b.clear(), "REGISTER", `Security-Client: "`)
		b.screen(0, b.clear(), "REGISTER", "Security-Client: tls") // wants it, does not need it
		b.screen(0, b.clear(), "REGISTER")
		b.states(1, 0, 0, 0)
	})
}

// TS 24.229 §5.2.2.2, §5.2.2.4: integrity-protected=no is for handsets that are offered associations, whatever their answer leaves out.
func TestOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		good := answer(server, 1, 31000, 31001)

		for _, test := range []struct {
			name    string
			headers []string
			want    bool
		}{
			{"asks for some", []string{fmt.Sprintf("Security-Client: "+offer, 1000, 1001, 31000, 31001)}, true},
			{"answers a challenge that came with some", []string{good[3]}, true},
			{"asks for none", nil, false},
			{"asks for what is not to be had", []string{"Security-Client: tls"}, false},
			{"answers another challenge", []string{authorization(`nonce="old",response="0123"`)}, false},
		} {
			if got := b.Offered(b.request("REGISTER", test.headers...), b.clear()); got != test.want {
				t.Errorf("%s: %v, want %v", test.name, got, test.want)
			}
		}
	})
}

// Where associations are required, nobody registers without.
func TestRequired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Required)

		if refusal := b.screen(421, b.clear(), "REGISTER"); sip.Value(refusal, "Require") != "sec-agree" || !sip.Has(refusal, "Security-Server") {
			t.Errorf("%v", refusal)
		}

		b.screen(494, b.clear(), "REGISTER", "Security-Client: tls")

		r := b.request("REGISTER", fmt.Sprintf("Security-Client: "+offer, 1000, 1001, 31000, 31001), authorization(`nonce="old",response="0123"`))
		if refusal := b.Screen(r, b.clear()); refusal != nil || strings.Contains(sip.Value(r, "Authorization"), "0123") {
			t.Errorf("an answer in clear goes on: %v, %s", refusal, sip.Value(r, "Authorization"))
		}
	})
}

func TestOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Off)
		r := b.request("REGISTER", fmt.Sprintf("Security-Client: "+offer, 1000, 1001, 31000, 31001), "Require: sec-agree")
		b.screen(0, b.clear(), "REGISTER", "Require: sec-agree")

		response := sip.NewResponse(r, 401, "")
		if err := b.Challenge(r, b.clear(), response, keys); err != nil || sip.Has(response, "Security-Server") {
			t.Errorf("%v, %v", err, response)
		}

		b.states(0, 0, 0, 0)
	})
}

// What cannot be set up leaves nothing, and the handset is told.
func TestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional, func(s *Settings) { s.MaxSets = 1 })
		r := b.request("REGISTER", fmt.Sprintf("Security-Client: "+offer, 1000, 1001, 31000, 31001), "Require: sec-agree")
		response := sip.NewResponse(r, 401, "")

		b.kernel.full = true
		if err := b.Challenge(r, b.clear(), response, keys); err == nil || sip.Has(response, "Security-Server") {
			t.Errorf("the kernel refuses: %v, %v", err, response)
		}

		b.states(0, 0, 0, 0)
		b.kernel.full = false

		if err := b.Challenge(r, b.clear(), response, agreement.Keys{CK: "00"}); err == nil {
			t.Error("associations without keys")
		}

		b.challenge(b.clear(), 1, 31000, 31001)
		other := b.clear()
		other.Remote = netip.MustParseAddrPort("192.0.2.101:5060")

		if err := b.Challenge(r, other, response, keys); !errors.Is(err, errFull) {
			t.Errorf("one set more than max_sets: %v", err)
		}

		b.states(1, 0, 0, 0)
	})
}

// A handset whose battery died and that uses the SPIs it had: the old set goes, or the kernel would not take the new one.
func TestSameSPIsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)
		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)
		b.Established(flow, 600)
		b.challenge(b.clear(), 1, 31000, 31001)
		b.states(1, 0, 0, 0)
	})
}

// A restart that keeps: established sets that the kernel still has are taken up, others are not.
func TestRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)
		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)
		b.Established(flow, 600)

		kept := b.remembered()
		if len(kept) != 1 {
			t.Fatalf("%d sets are kept", len(kept))
		}

		gone := kept[0]
		gone.Set.ReqID++
		late := kept[0]
		late.Until = time.Now()
		moved := kept[0]
		moved.Set.Ports.PCSCFServer = 7000

		after := newBench(t, Optional)
		restored := after.Restore([]Kept{gone, late, kept[0], moved}, func(s ipsec.Set) bool { return s != gone.Set })

		if len(restored) != 1 || restored[0] != kept[0].Set || after.Count(established) != 1 {
			t.Errorf("taken up: %v", restored)
		}

		again := after.protected(server, 31000)
		after.screen(0, again, "INVITE", "Security-Verify: "+server)
		after.screen(494, again, "INVITE", "Security-Verify: tls")
		time.Sleep(631 * time.Second)
		synctest.Wait()

		if after.Count(established) != 0 {
			t.Error("a set that was taken up never ends")
		}
	})
}
