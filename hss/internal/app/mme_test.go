package app

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

const epc = "epc.mnc001.mcc001.3gppnetwork.org"

// ofHome is Visited-PLMN-Id of 001-01.
var ofHome = []byte{0x00, 0xF1, 0x10}

// withMMEs returns the configuration of an HSS that also serves an EPC.
func withMMEs(t *testing.T) *Config {
	c := settings(t)
	c.Diameter.Realms = []string{epc}
	c.Diameter.Peers = append(c.Diameter.Peers, diameter.Peer{Host: "mme." + epc, Realm: epc}, diameter.Peer{Host: "mme2." + epc, Realm: epc})

	return c
}

// mme is an MME, as connected to the HSS.
type mme struct {
	*testing.T
	*diameter.Node

	mu       sync.Mutex
	clr      []*s6a.CLR
	idr      []*s6a.IDR
	dsr      []*s6a.DSR
	rsr      []*s6a.RSR
	answers  []diameter.Result // to the next requests; Success when there is none
	received chan struct{}
	stop     func()
}

// connectMME returns an MME connected to the HSS.
func connectMME(t *testing.T, h *hss, name string) *mme {
	t.Helper()

	m := newMME(t, h, name, diameter.Identity{Host: h.config.Diameter.OriginHost, Realm: home})
	diameter.Handle(m.Node, func(_ context.Context, q *s6a.DSR) (*s6a.DSA, error) {
		return new(s6a.DSA), m.takes(func() { m.dsr = append(m.dsr, q) })
	})
	m.run(h)

	return m
}

// newMME returns an MME, not running yet, that knows the HSS by a name. It has the commands that Open5GS's has, and RSR.
func newMME(t *testing.T, h *hss, name string, of diameter.Identity) *mme {
	t.Helper()

	c := diameter.DefaultConfig(name+"."+epc, epc)
	c.Peers = []diameter.Peer{{Host: of.Host, Realm: of.Realm, Address: h.built.Node.Addresses()[0].String()}}
	c.ReconnectMin, c.ReconnectMax = 10*time.Millisecond, 10*time.Millisecond
	c.RequestTimeout = time.Minute

	node, err := diameter.New(c, []diameter.Application{s6a.Application}, diameter.Options{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}

	m := &mme{T: t, Node: node, received: make(chan struct{}, 1000)}
	diameter.Handle(node, func(_ context.Context, q *s6a.CLR) (*s6a.CLA, error) {
		return new(s6a.CLA), m.takes(func() { m.clr = append(m.clr, q) })
	})
	diameter.Handle(node, func(_ context.Context, q *s6a.IDR) (*s6a.IDA, error) {
		return new(s6a.IDA), m.takes(func() { m.idr = append(m.idr, q) })
	})
	diameter.Handle(node, func(_ context.Context, q *s6a.RSR) (*s6a.RSA, error) {
		return new(s6a.RSA), m.takes(func() { m.rsr = append(m.rsr, q) })
	})

	return m
}

// run connects the MME to the HSS until the test ends.
func (m *mme) run(h *hss) {
	m.Helper()

	ctx, cancel := context.WithCancel(context.Background())

	var running sync.WaitGroup
	running.Go(func() { _ = m.Node.Run(ctx) })
	m.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	m.Cleanup(m.stop)

	eventually(m.T, m.Identity().Host+" is connected", func() bool {
		if m.Ready() != nil {
			return false
		}
		for _, other := range h.built.Node.Peers() {
			if other.Host == m.Identity().Host && other.State == "open" {
				return true
			}
		}
		return false
	})
}

func (m *mme) takes(keep func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer func() { m.received <- struct{}{} }()

	keep()

	if len(m.answers) == 0 {
		return nil
	}

	result := m.answers[0]
	m.answers = m.answers[1:]

	if result == diameter.Success {
		return nil
	}

	return result
}

// told waits until the MME has received this many requests.
func (m *mme) told(count int) {
	m.Helper()

	for range count {
		select {
		case <-m.received:
		case <-time.After(30 * time.Second):
			m.mu.Lock()
			defer m.mu.Unlock()
			m.Fatalf("the MME was not told: %d CLR, %d IDR, %d DSR, %d RSR", len(m.clr), len(m.idr), len(m.dsr), len(m.rsr))
		}
	}
}

func ask[A, Q any, PA diameter.Typed[A], PQ diameter.Typed[Q]](m *mme, q *Q) *A {
	m.Helper()

	answer, err := diameter.Call[A, Q, PA, PQ](m.Context(), m.Node, q)
	if err != nil {
		m.Fatalf("%T: %v", q, err)
	}

	return answer
}

func (m *mme) air(imsi string, change ...func(*s6a.AIR)) *s6a.AIA {
	m.Helper()

	q := &s6a.AIR{UserName: imsi, VisitedPLMN: ofHome, EUTRAN: &s6a.RequestedAuthentication{Vectors: 1}}
	for _, c := range change {
		c(q)
	}

	return ask[s6a.AIA](m, q)
}

func (m *mme) ulr(imsi string, change ...func(*s6a.ULR)) *s6a.ULA {
	m.Helper()

	q := &s6a.ULR{
		UserName: imsi, VisitedPLMN: ofHome, RATType: s6a.EUTRAN, Flags: s6a.FromMME | s6a.InitialAttach,
		Terminal: &s6a.Terminal{IMEI: "35693803564380", SoftwareVersion: "42"},
	}
	for _, c := range change {
		c(q)
	}

	return ask[s6a.ULA](m, q)
}

func (m *mme) pur(imsi string) *s6a.PUA {
	m.Helper()
	return ask[s6a.PUA](m, &s6a.PUR{UserName: imsi})
}

func (m *mme) nor(imsi string) *s6a.NOA {
	m.Helper()
	return ask[s6a.NOA](m, &s6a.NOR{UserName: imsi, Terminal: &s6a.Terminal{IMEI: "35693803564380", SoftwareVersion: "43"}})
}

func (m *mme) attach(imsi string) {
	m.Helper()

	if a := m.ulr(imsi); a.Result != s6a.Success {
		m.Fatalf("ULR: %v %s", a.Result, a.ErrorMessage)
	}
}

// challenge makes the SIM check a vector of an answer, as a handset does in EPS: with the separation bit.
func challenge(sim *aka.SIM, v s6a.EUTRANVector) (aka.Result, error) {
	return sim.Authenticate([16]byte(v.RAND), [16]byte(v.AUTN))
}

// TestOneSIM: the subscriber of the simplest command attaches and registers.
func TestOneSIM(t *testing.T) {
	h := start(t, withMMEs(t))
	const imsi = "001010000000001"
	private := h.add(imsi, "15550001", func(n *provisioning.NewSubscriber) { n.Authentication.AMF = "0001" })
	m, scscf, sim := connectMME(t, h, "mme"), connect(t, h, "scscf"), card(t)

	a := m.air(imsi)
	want(t, "AIR ("+a.ErrorMessage+")", a.Result, s6a.Success)
	want(t, "vectors", len(a.Authentication.EUTRAN), 1)
	v := a.Authentication.EUTRAN[0]

	result, err := challenge(sim, v)
	if err != nil {
		t.Fatalf("the SIM refuses the vector: %v", err)
	}
	want(t, "XRES", v.XRES, result.RES)
	want(t, "AMF with the separation bit (TS 33.401 §6.1.1)", v.AUTN[6:8], []byte{0x80, 0x01})
	own := aka.Vector{AUTN: [16]byte(v.AUTN), CK: result.CK, IK: result.IK}
	key := own.KASME([3]byte(ofHome))
	want(t, "KASME of the handset and of the MME (TS 33.401 §A.2)", v.KASME, key[:])

	u := m.ulr(imsi)
	want(t, "ULR ("+u.ErrorMessage+")", u.Result, s6a.Success)
	want(t, "ULA-Flags", *u.Flags, s6a.SeparationIndication)
	data := u.Subscription
	want(t, "MSISDN", data.MSISDN, s6a.TBCD("15550001"))
	want(t, "AMBR", *data.AMBR, s6a.AMBR{Uplink: 1e9, Downlink: 1e9})
	want(t, "default APN", data.Profile.Default, 1)

	var apns []string
	for _, apn := range data.Profile.APNs {
		apns = append(apns, apn.Name)
		want(t, "pre-emption of "+apn.Name, []uint32{*apn.QoS.ARP.Capability, *apn.QoS.ARP.Vulnerability}, []uint32{1, 1})
	}
	want(t, "APNs", apns, []string{"internet", "ims"})
	want(t, "QCI of ims", data.Profile.APNs[1].QoS.QCI, 5)

	scscf.register(private, "sip:"+private)
	accept(t, sim, scscf.mar(private, "sip:"+private, scscfURI))
	if _, err := challenge(sim, m.air(imsi).Authentication.EUTRAN[0]); err != nil {
		t.Errorf("the SIM refuses the next vector of the MME: %v", err)
	}

	var shown struct {
		PrivateIdentities []struct{ MME map[string]any } `json:"private_identities"`
	}
	h.api("GET", "/subscribers/"+imsi, nil, &shown)
	for field, value := range map[string]any{
		"diameter_host": "mme." + epc, "diameter_realm": epc, "plmn": "001-01", "imei": "3569380356438042",
	} {
		want(t, "mme."+field, shown.PrivateIdentities[0].MME[field], value)
	}
}

// TestSeveralVectors: several vectors are numbered in order, bounded, and each is fresh after the one before it (TS 29.272 §5.2.3.1.3).
func TestSeveralVectors(t *testing.T) {
	h := start(t, withMMEs(t))
	h.add("001010000000001", "15550001")
	m, sim := connectMME(t, h, "mme"), card(t)

	for asked, given := range map[uint32]int{0: 1, 1: 1, 3: 3, 5: 5, 1 << 31: 5} {
		vectors := m.air("001010000000001", func(q *s6a.AIR) { q.EUTRAN.Vectors = asked }).Authentication.EUTRAN
		want(t, "vectors", len(vectors), given)

		for i, v := range vectors {
			if number := v.ItemNumber; given > 1 && (number == nil || *number != uint32(i+1)) || given == 1 && number != nil {
				t.Errorf("Item-Number of %d of %d: %v", i+1, given, number)
			}
			if _, err := challenge(sim, v); err != nil {
				t.Errorf("the SIM refuses vector %d of %d: %v", i+1, given, err)
			}
		}
	}
}

// TestAttachAndRegisterAtOnce: MME and S-CSCF fetch vectors of one SIM at the same time, and each passes its own to the SIM in order. SEQ
// is counted once for both, and each has an IND: none is given out twice, and the SIM never asks for resynchronisation.
func TestAttachAndRegisterAtOnce(t *testing.T) {
	const rounds = 200

	h := start(t, withMMEs(t))
	private := h.add("001010000000001", "15550001")
	m, scscf, sim := connectMME(t, h, "mme"), connect(t, h, "scscf"), card(t)
	algorithm := aka.NewMilenage([16]byte(octets(t, k)), [16]byte(octets(t, opc)))

	var (
		mu   sync.Mutex
		seen = map[uint64]int{} // SEQ
		both sync.WaitGroup
	)

	use := func(who string, ind uint64, random, autn []byte) {
		if _, err := sim.Authenticate([16]byte(random), [16]byte(autn)); err != nil {
			t.Errorf("the SIM refuses a vector of the %s: %v", who, err)
		}

		_, _, _, ak := algorithm.F2345([16]byte(random))
		var sqn [6]byte
		for i := range sqn {
			sqn[i] = autn[i] ^ ak[i]
		}

		number := uint64(aka.SQNFromBytes(sqn))
		if number&31 != ind {
			t.Errorf("IND of the %s is %d, want %d", who, number&31, ind)
		}

		mu.Lock()
		defer mu.Unlock()
		seen[number>>5]++
	}

	both.Go(func() {
		for range rounds {
			for _, v := range m.air("001010000000001", func(q *s6a.AIR) { q.EUTRAN.Vectors = 2 }).Authentication.EUTRAN {
				use("MME", 9, v.RAND, v.AUTN)
			}
		}
	})
	both.Go(func() {
		for range rounds {
			for _, v := range scscf.mar(private, "sip:"+private, scscfURI, func(q *cx.MAR) { q.NumberOfAuthVectors = 2 }).AuthDataItems {
				use("S-CSCF", 1, v.Authenticate[:16], v.Authenticate[16:])
			}
		}
	})
	both.Wait()

	want(t, "different SEQs", len(seen), 4*rounds)
}
