package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/telemetry"
	"github.com/dialtone-ims/dialtone/test/memory"
)

const (
	home    = "ims.mnc001.mcc001.3gppnetwork.org"
	imsi    = "001010000000001"
	private = imsi + "@" + home
	public  = "sip:" + imsi + "@" + home
	number  = "tel:+15550001"
)

var subscriberKey, subscriberOPc = [16]byte{1, 2, 3}, [16]byte{4, 5, 6}

// profile returns User-Data with two identities and these criteria.
func profile(criteria string) string {
	return `<?xml version="1.0"?><IMSSubscription><PrivateID>` + private + `</PrivateID><ServiceProfile>` +
		`<PublicIdentity><Identity>` + public + `</Identity></PublicIdentity>` +
		`<PublicIdentity><Identity>` + number + `</Identity></PublicIdentity>` + criteria + `</ServiceProfile></IMSSubscription>`
}

// testHSS is a Diameter node that answers MAR and SAR as the test says, and remembers them.
type testHSS struct {
	node *diameter.Node
	stop func()

	mu       sync.Mutex
	sqn      aka.SQN
	userData string
	charging *cx.ChargingInformation
	digest   *cx.DigestAuthenticate // instead of AKA data
	refuseMA error
	refuseSA map[cx.ServerAssignmentType]error
	mars     []*cx.MAR
	sars     []*cx.SAR
	seen     chan struct{}
}

func (h *testHSS) multimediaAuth(_ context.Context, q *cx.MAR) (*cx.MAA, error) {
	h.mu.Lock()
	defer h.mu.Unlock()

	h.mars = append(h.mars, q)
	h.signal()

	if h.refuseMA != nil {
		return nil, h.refuseMA
	}

	a := &cx.MAA{UserName: q.UserName, PublicIdentity: q.PublicIdentity, NumberOfAuthVectors: 1}
	a.Result = cx.Success

	if h.digest != nil {
		a.AuthDataItems = []cx.AuthDataItem{{Scheme: cx.SchemeSIPDigest, Digest: h.digest}}
		return a, nil
	}

	algorithm := aka.NewMilenage(subscriberKey, subscriberOPc)

	if auth := q.AuthDataItem.Authorization; len(auth) == 30 {
		sqn, err := aka.Resynchronise(algorithm, [16]byte(auth[:16]), [14]byte(auth[16:]))
		if err != nil {
			return nil, err
		}

		h.sqn = sqn
	}

	h.sqn += 32

	var random [16]byte
	rand.Read(random[:])

	v := aka.Generate(algorithm, random, h.sqn, [2]byte{0x80, 0})
	a.AuthDataItems = []cx.AuthDataItem{{
		Scheme: cx.SchemeDigestAKAv1MD5, Authenticate: append(v.RAND[:], v.AUTN[:]...), Authorization: v.XRES,
		ConfidentialityKey: v.CK[:], IntegrityKey: v.IK[:],
	}}

	return a, nil
}

func (h *testHSS) serverAssignment(_ context.Context, q *cx.SAR) (*cx.SAA, error) {
	h.mu.Lock()
	defer h.mu.Unlock()

	h.sars = append(h.sars, q)
	h.signal()

	if err := h.refuseSA[q.Type]; err != nil {
		return nil, err
	}

	a := &cx.SAA{UserName: private, ChargingInformation: h.charging}
	a.Result = cx.Success

	switch q.Type {
	case cx.AssignRegistration, cx.ReRegistration, cx.UnregisteredUser, cx.NoAssignment:
		if q.DataAlreadyAvailable == cx.UserDataNotAvailable {
			a.UserData = []byte(h.userData)
		}
	}

	return a, nil
}

func (h *testHSS) signal() {
	select {
	case h.seen <- struct{}{}:
	default:
	}
}

// set changes how the HSS answers.
func (h *testHSS) set(change func(*testHSS)) {
	h.mu.Lock()
	defer h.mu.Unlock()

	change(h)
}

// assignments returns the types of the SARs so far.
func (h *testHSS) assignments() string {
	h.mu.Lock()
	defer h.mu.Unlock()

	var types []string
	for _, q := range h.sars {
		types = append(types, fmt.Sprint(uint32(q.Type)))
	}

	return strings.Join(types, " ")
}

func (h *testHSS) awaitAssignments(t *testing.T, want string) {
	t.Helper()

	deadline := time.After(10 * time.Second)

	for h.assignments() != want {
		select {
		case <-h.seen:
		case <-deadline:
			t.Fatalf("SAR types: %q, want %q", h.assignments(), want)
		}
	}
}

// core is an S-CSCF with an HSS beside it, on free ports of the loopback.
type core struct {
	hss     *testHSS
	scscf   *scscf
	address netip.AddrPort
	admin   httpapi.Client
	metrics *prometheus.Registry
	log     *memory.Log
	stop    func()
}

func startHSS(t *testing.T) *testHSS {
	t.Helper()

	return startHSSAt(t, "127.0.0.1:0")
}

func startHSSAt(t *testing.T, address string) *testHSS {
	t.Helper()

	c := diameter.DefaultConfig("hss."+home, home)
	c.Listen = []diameter.Listener{{Address: address}}
	c.AllowUnknownPeers = true

	node, err := diameter.New(c, []diameter.Application{cx.Application}, diameter.Options{})
	if err != nil {
		t.Fatal(err)
	}

	h := &testHSS{node: node, userData: profile(""), refuseSA: map[cx.ServerAssignmentType]error{}, seen: make(chan struct{}, 1)}
	diameter.Handle(node, h.multimediaAuth)
	diameter.Handle(node, h.serverAssignment)
	h.stop = run(t, node.Run)

	return h
}

func run(t *testing.T, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})

	go func() {
		defer close(done)

		if err := f(ctx); err != nil {
			t.Error(err)
		}
	}()

	stop = func() { cancel(); <-done }
	t.Cleanup(stop)

	return stop
}

// start starts a core; change alters the S-CSCF's configuration.
func start(t *testing.T, change func(*Config)) *core {
	t.Helper()

	return startWith(t, startHSS(t), change)
}

func startWith(t *testing.T, h *testHSS, change func(*Config)) *core {
	t.Helper()

	c := startAlone(t, h, change)
	await(t, "the connection to the HSS", func() bool {
		peers := c.scscf.node.Peers()
		return peers[0].State == "open" && len(h.node.Peers()) > 0
	})

	return c
}

// startAlone is start without waiting for the HSS.
func startAlone(t *testing.T, h *testHSS, change func(*Config)) *core {
	t.Helper()

	c := Default()
	c.Data = ""
	c.SIP.Endpoints[0].Address = "127.0.0.1:0"
	c.Diameter.Peers = c.Diameter.Peers[:1]
	c.Diameter.Peers[0].Address = h.node.Addresses()[0].String()
	c.Diameter.ReconnectMin = 10 * time.Millisecond

	if change != nil {
		change(&c)
	}

	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}

	log := &memory.Log{}
	env := &service.Env{Name: "scscf", Log: log.Logger(), Metrics: telemetry.NewRegistry()}

	config, token := httpapi.DefaultConfig("127.0.0.1:0"), rand.Text()
	config.Token = token

	var err error
	if env.Admin, err = httpapi.Listen(config, env.Log); err != nil {
		t.Fatal(err)
	}

	runner, err := Build(t.Context(), &c, env)
	if err != nil {
		t.Fatal(err)
	}

	stopAdmin, stop := run(t, env.Admin.Run), run(t, runner.Run)
	s := runner.(*scscf)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})

	return &core{
		hss: h, scscf: s, metrics: env.Metrics, address: s.stack.Endpoint("Mw").Address(), log: log,
		admin: httpapi.Client{Base: "http://" + env.Admin.Address().String(), Token: token},
		stop:  func() { stop(); stopAdmin() },
	}
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()

	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()

	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("%s did not happen", what)
		case <-tick.C:
		}
	}
}

// handset is a SIM and a UDP socket; its requests go to the S-CSCF as if P-CSCF and I-CSCF had passed them on.
type handset struct {
	t      *testing.T
	core   *core
	socket *net.UDPConn
	sim    *aka.SIM
	callID string
	cseq   int
	inbox  chan *sip.Request // requests to the handset; nil: they are answered 200 and forgotten

	mu        sync.Mutex
	responses map[string]chan *sip.Response // by branch
}

func newHandset(t *testing.T, c *core) *handset {
	t.Helper()

	socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}

	h := &handset{
		t: t, core: c, socket: socket, sim: aka.NewSIM(aka.NewMilenage(subscriberKey, subscriberOPc), aka.DefaultScheme()),
		callID: sip.NewCallID(), inbox: make(chan *sip.Request, 16), responses: map[string]chan *sip.Response{},
	}
	done := make(chan struct{})
	go func() { defer close(done); h.read() }()
	t.Cleanup(func() { socket.Close(); <-done })

	return h
}

func (h *handset) address() string { return h.socket.LocalAddr().String() }

func (h *handset) contact() string { return "<sip:" + imsi + "@" + h.address() + ">" }

func (h *handset) path() string { return "<sip:token@" + h.address() + ";lr>" }

func (h *handset) read() {
	b := make([]byte, 65536)

	for {
		n, from, err := h.socket.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}

		m, err := sip.ParseMessage(bytes.Clone(b[:n]))
		if err != nil {
			h.t.Errorf("the S-CSCF sent what cannot be read: %v\n%s", err, b[:n])
			continue
		}

		switch m := m.(type) {
		case *sip.Request:
			ok := sip.NewResponse(m, 200, "")
			if _, err := h.socket.WriteToUDPAddrPort([]byte(ok.String()), from); err != nil && !errors.Is(err, net.ErrClosed) {
				h.t.Error(err)
			}
			h.inbox <- m
		case *sip.Response:
			branch, _ := m.Via().Params.Get("branch")
			h.mu.Lock()
			waiting := h.responses[branch]
			h.mu.Unlock()

			if waiting != nil && !m.IsProvisional() {
				waiting <- m
			}
		}
	}
}

// send sends a request and waits for its final response. headers are lines without their end.
func (h *handset) send(method, uri, to string, headers ...string) *sip.Response {
	h.t.Helper()

	branch := sip.NewBranch()
	answer := make(chan *sip.Response, 4)
	h.mu.Lock()
	h.responses[branch] = answer
	h.mu.Unlock()

	h.cseq++
	lines := append([]string{
		method + " " + uri + " SIP/2.0",
		"Via: SIP/2.0/UDP " + h.address() + ";branch=" + branch,
		"From: <" + public + ">;tag=handset",
		"To: " + to,
		"Call-ID: " + h.callID,
		fmt.Sprintf("CSeq: %d %s", h.cseq, method),
		"Max-Forwards: 70",
	}, headers...)

	raw := strings.Join(lines, "\r\n") + "\r\nContent-Length: 0\r\n\r\n"
	if _, err := h.socket.WriteToUDPAddrPort([]byte(raw), h.core.address); err != nil {
		h.t.Fatal(err)
	}

	select {
	case r := <-answer:
		return r
	case <-time.After(10 * time.Second):
		h.t.Fatalf("no answer to\n%s", raw)
		return nil
	}
}

// register sends one REGISTER with these credentials ("" for none) and further header lines.
func (h *handset) register(authorization string, headers ...string) *sip.Response {
	h.t.Helper()

	lines := []string{"Path: " + h.path(), "Require: path", "Supported: path", `P-Charging-Vector: icid-value=abc;orig-ioi="visited"`}
	if authorization != "" {
		lines = append(lines, "Authorization: "+authorization)
	}

	return h.send("REGISTER", "sip:"+home, "<"+public+">", append(lines, headers...)...)
}

// unprotected returns the credentials of a first REGISTER (TS 24.229 §5.1.1.2).
func unprotected() string {
	return digest.Credentials{Username: private, Realm: home, URI: "sip:" + home}.String()
}

// answer returns the credentials that answer a challenge with the SIM.
func (h *handset) answer(challenge *sip.Response, method string) string {
	h.t.Helper()

	ch, err := digest.ParseChallenge(sip.Value(challenge, "WWW-Authenticate"))
	if err != nil {
		h.t.Fatal(err)
	}

	random, autn, err := digest.ParseAKANonce(ch.Nonce)
	if err != nil {
		h.t.Fatal(err)
	}

	result, err := h.sim.Authenticate(random, autn)

	var stale *aka.SyncFailure
	if errors.As(err, &stale) {
		c, _ := digest.Answer(ch, private, nil, method, "sip:"+home, nil, 1, "cnonce")
		c.AUTS = digest.EncodeAUTS(stale.AUTS)

		return c.String()
	}

	if err != nil {
		h.t.Fatal(err)
	}

	c, err := digest.Answer(ch, private, result.RES, method, "sip:"+home, nil, 1, "cnonce")
	if err != nil {
		h.t.Fatal(err)
	}

	return c.String()
}

// registerFully goes through challenge and response, with these further header lines in both.
func (h *handset) registerFully(headers ...string) *sip.Response {
	h.t.Helper()

	challenge := h.register(unprotected(), headers...)
	if challenge.StatusCode != 401 {
		h.t.Fatalf("the first REGISTER was answered\n%s", challenge)
	}

	return h.register(h.answer(challenge, "REGISTER"), headers...)
}

func wantStatus(t *testing.T, r *sip.Response, status int) {
	t.Helper()

	if r.StatusCode != status {
		t.Fatalf("status %d, want %d:\n%s", r.StatusCode, status, r)
	}
}
