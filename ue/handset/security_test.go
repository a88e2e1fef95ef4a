package handset

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/memory"
)

type kernel struct {
	sync.Mutex
	sets map[uint32]ipsec.Set
	spi  uint32
	held int
}

func (k *kernel) Install(s ipsec.Set, _ time.Duration) error {
	k.Lock()
	defer k.Unlock()

	for _, other := range k.sets {
		if other.Ports.PCSCFClient == s.Ports.PCSCFClient && other.Ports.UEServer == s.Ports.UEServer {
			return unix.EEXIST // as Linux says of its policy
		}
	}

	k.sets[s.ReqID] = s

	return nil
}

func (k *kernel) Remove(s ipsec.Set) error {
	k.Lock()
	defer k.Unlock()

	delete(k.sets, s.ReqID)

	return nil
}

func (k *kernel) AllocateSPI(_, _ netip.Addr) (uint32, error) {
	k.Lock()
	defer k.Unlock()

	k.spi++
	k.held++

	return 0x1000 + k.spi, nil
}

func (k *kernel) ReleaseSPI(uint32) {
	k.Lock()
	defer k.Unlock()

	k.held--
}

func (k *kernel) counts() (sets, spis int) {
	k.Lock()
	defer k.Unlock()

	return len(k.sets), k.held
}

var (
	simKey, simOPc = [16]byte([]byte("0123456789abcdef")), [16]byte([]byte("fedcba9876543210"))
	suite          = ipsec.Suite{Integrity: ipsec.HMACSHA1, Encryption: ipsec.AESCBC}
)

// proxy is a P-CSCF played by the test: its open port, and its protected ones.
type proxy struct {
	t                     *testing.T
	open, client, server  *memory.Peer
	handset               *Handset
	kernel                *kernel
	sqn                   aka.SQN
	done                  chan error
	lastClient, agreement string
}

func newProxy(t *testing.T, m Misbehaviour) *proxy {
	network := memory.New()
	p := &proxy{t: t, kernel: &kernel{sets: map[uint32]ipsec.Set{}}, sqn: 32, done: make(chan error, 1)}
	p.open = network.Peer(t, "192.0.2.1:5060")
	p.client = network.Peer(t, "192.0.2.1:6100")
	p.server = network.Peer(t, "192.0.2.1:6110")

	h, err := New(Config{
		IMSI: "001010000000001", Domain: "ims.mnc001.mcc001.3gppnetwork.org", K: simKey, OPc: simOPc,
		Address: netip.MustParseAddrPort(
			"192.0.2.100:5060",
		), Proxy: netip.MustParseAddrPort("192.0.2.1:5060"), Transport: "UDP", Expires: 600, Network: network,
		Security: &Security{
			Kernel:     p.kernel,
			Suites:     []ipsec.Suite{suite},
			ClientPort: 31000,
			ServerPort: 31500,
			Linger:     time.Second,
			Misbehave:  m,
		},
	})
	if err != nil {
		t.Fatal(err)
	}

	p.handset = h
	t.Cleanup(func() { h.Close() })

	return p
}

func (p *proxy) register(expires uint32) {
	go func() { p.done <- p.handset.register(p.t.Context(), expires) }()
}

// challenge answers a REGISTER with 401 and Security-Server, and returns the keys in it.
func (p *proxy) challenge(by *memory.Peer, pc, ps int) aka.Vector {
	p.t.Helper()
	r := by.Request("REGISTER")

	if !sip.HasToken(r, "Require", "sec-agree") || !sip.HasToken(r, "Proxy-Require", "sec-agree") || !sip.Has(r, "Security-Client") {
		p.t.Errorf("sec-agree is not asked for:\n%s", r)
	}

	p.lastClient = sip.Value(r, "Security-Client")
	p.agreement = fmt.Sprintf(
		"ipsec-3gpp;q=0.1;alg=hmac-sha-1-96;prot=esp;mod=trans;ealg=aes-cbc;spi-c=%d;spi-s=%d;port-c=%d;port-s=%d",
		pc*2,
		ps*2,
		pc,
		ps,
	)
	p.sqn += 32
	v := aka.Generate(aka.NewMilenage(simKey, simOPc), [16]byte{byte(p.sqn)}, p.sqn, [2]byte{0x80, 0})
	nonce := base64.StdEncoding.EncodeToString(append(v.RAND[:], v.AUTN[:]...))
	by.Answer(
		r,
		401,
		"WWW-Authenticate: "+fmt.Sprintf(`Digest realm="ims",nonce="%s",algorithm=AKAv1-MD5,qop="auth"`, nonce),
		"Security-Server: "+p.agreement,
	)

	return v
}

func (p *proxy) accept(by *memory.Peer, expires int) *sip.Request {
	p.t.Helper()
	r := by.Request("REGISTER")
	contact, _, _ := strings.Cut(sip.Value(r, "Contact"), ";expires=")
	by.Answer(
		r,
		200,
		fmt.Sprintf("Contact: %s;expires=%d", contact, expires),
		"P-Associated-URI: <sip:a@ims>",
		"Service-Route: <sip:orig@192.0.2.3;lr>",
	)

	if err := <-p.done; err != nil {
		p.t.Errorf("not registered: %v", err)
	}

	return r
}

// TS 33.203 §7.1, §7.2, §7.4 from the handset's side.
func TestSecuredRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProxy(t, Misbehaviour{})
		p.register(600)
		v := p.challenge(p.open, 6100, 6110)
		r := p.accept(p.server, 600)

		if sip.Value(r, "Security-Verify") != p.agreement || sip.Value(r, "Security-Client") != p.lastClient {
			t.Errorf("the answer has other headers than it must:\n%s", r)
		}

		if via := r.Via(); via.Port != 31500 || !strings.Contains(sip.Value(r, "Contact"), "192.0.2.100:31500") {
			t.Errorf("the protected server port is not named:\n%s", r)
		}

		var set ipsec.Set
		for _, set = range p.kernel.sets {
		}

		if want := (ipsec.Ports{
			UEClient:    31000,
			UEServer:    31500,
			PCSCFClient: 6100,
			PCSCFServer: 6110,
		}); set.Ports != want || set.Suite != suite ||
			set.IK != v.IK || set.CK != v.CK ||
			set.SPIs.PCSCFServer != 12220 {
			t.Errorf("the kernel has %s", set)
		}

		// A request from the P-CSCF's client port is answered to its server port.
		p.client.Send(
			"192.0.2.100:31500",
			"OPTIONS sip:a@192.0.2.100:31500 SIP/2.0",
			"Via: SIP/2.0/UDP 192.0.2.1:6110;branch=z9hG4bKo",
			"From: <sip:p@p>;tag=1",
			"To: <sip:a@ims>",
			"Call-ID: o",
			"CSeq: 1 OPTIONS",
			"Max-Forwards: 70",
		)
		p.server.Response(200)

		// A refresh that is challenged goes through the set in use; its answer through the new one.
		p.register(600)

		first := p.agreement
		p.challenge(p.server, 6101, 6110)

		r = p.accept(p.server, 600)
		if sip.Value(r, "Security-Verify") != p.agreement || p.agreement == first {
			t.Errorf("the answer to the new challenge verifies %q", sip.Value(r, "Security-Verify"))
		}

		time.Sleep(2 * time.Second)
		synctest.Wait()

		if sets, spis := p.kernel.counts(); sets != 1 || spis != 2 {
			t.Errorf("%d sets and %d SPIs after a re-authentication", sets, spis)
		}

		// A refresh without challenge changes nothing.
		p.register(600)
		p.accept(p.server, 600)

		// And the way out.
		p.register(0)
		p.accept(p.server, 0)
		time.Sleep(2 * time.Second)
		synctest.Wait()

		if sets, spis := p.kernel.counts(); sets != 0 || spis != 0 {
			t.Errorf("%d sets and %d SPIs after the de-registration", sets, spis)
		}
	})
}

// A P-CSCF that has dropped the handset's sets reuses their ports for the next set, which replaces them.
func TestPortsUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProxy(t, Misbehaviour{})
		p.register(600)
		p.challenge(p.open, 6100, 6110)
		p.accept(p.server, 600)

		p.register(0)
		p.accept(p.server, 0) // the set lingers

		p.register(600)
		p.challenge(p.open, 6100, 6110)
		p.accept(p.server, 600)

		p.handset.Forget() // the P-CSCF has been started anew
		p.register(600)
		p.challenge(p.open, 6100, 6110)
		p.accept(p.server, 600)

		time.Sleep(2 * time.Second)
		synctest.Wait()

		if sets, spis := p.kernel.counts(); sets != 1 || spis != 2 {
			t.Errorf("%d sets and %d SPIs", sets, spis)
		}
	})
}

// TS 24.229 §5.1.1.5.3: AUTS goes as the request did, with a new offer.
func TestSecuredResynchronisation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProxy(t, Misbehaviour{})
		p.handset.SIM().SetSQN(1 << 20)
		p.register(600)
		p.challenge(p.open, 6100, 6110)

		first := p.lastClient
		p.sqn = 1 << 20
		p.challenge(p.open, 6101, 6110)

		if first == p.lastClient {
			t.Error("the resynchronisation offers the associations of the stale challenge")
		}

		p.accept(p.server, 600)

		if sets, spis := p.kernel.counts(); sets != 1 || spis != 2 {
			t.Errorf("%d sets and %d SPIs", sets, spis)
		}
	})
}

func TestMisbehaviour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProxy(t, Misbehaviour{Silent: true})
		p.register(600)
		p.challenge(p.open, 6100, 6110)

		if err := <-p.done; !errors.Is(err, ErrSilent) {
			t.Errorf("%v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := newProxy(t, Misbehaviour{Outside: true})
		p.register(600)
		p.challenge(p.open, 6100, 6110)

		credentials, err := digest.ParseCredentials(sip.Value(p.accept(p.open, 600), "Authorization"))
		if err != nil || credentials.Response == "" {
			t.Errorf("%+v, %v", credentials, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := newProxy(t, Misbehaviour{Verify: func(s string) string { return strings.ReplaceAll(s, "aes-cbc", "null") }})
		p.register(600)
		p.challenge(p.open, 6100, 6110)

		if r := p.accept(p.server, 600); sip.Value(r, "Security-Verify") == p.agreement {
			t.Error("Security-Verify is right")
		}
	})
}

// A P-CSCF without sec-agree: the handset states why it gives up.
func TestNoSecurityServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProxy(t, Misbehaviour{})
		p.register(600)

		r := p.open.Request("REGISTER")
		v := aka.Generate(aka.NewMilenage(simKey, simOPc), [16]byte{}, 64, [2]byte{0x80, 0})
		nonce := base64.StdEncoding.EncodeToString(append(v.RAND[:], v.AUTN[:]...))
		p.open.Answer(r, 401, `WWW-Authenticate: Digest realm="ims",nonce="`+nonce+`",algorithm=AKAv1-MD5,qop="auth"`)

		if err := <-p.done; err == nil || !strings.Contains(err.Error(), "no Security-Server") {
			t.Errorf("%v", err)
		}

		if sets, spis := p.kernel.counts(); sets != 0 || spis != 0 {
			t.Errorf("%d sets and %d SPIs", sets, spis)
		}
	})
}
