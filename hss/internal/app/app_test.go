package app

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/test/memory"
	"github.com/dialtone-ims/dialtone/test/scratch"
)

const (
	home     = "ims.mnc001.mcc001.3gppnetwork.org"
	scscfURI = "sip:scscf." + home + ":5060"
	k        = "465b5ce8b199b49faa5f0a2ee238a6bc" // test set 1 of TS 35.208
	op       = "cdc202d5123e20f62b6d676ac72cb318"
	opc      = "cd63cb71954a9f4e48a5994e37a02baf"
)

func settings(t *testing.T) *Config {
	c := Default()
	c.Data = scratch.Dir(t)
	c.Admin.Address = "127.0.0.1:0"
	c.Admin.Token = token
	c.Diameter.Listen = []diameter.Listener{{Address: "127.0.0.1:0"}}
	c.Diameter.AllowUnknownPeers = true
	c.Push.RetryMin, c.Push.RetryMax, c.Push.Attempts = 20*time.Millisecond, 100*time.Millisecond, 5

	return &c
}

const token = "of the tests"

type hss struct {
	*testing.T
	httpapi.Client

	config   *Config
	built    *function
	log      *memory.Log
	registry *prometheus.Registry
	stop     func()
}

// start runs an HSS until the test ends or stop is called.
func start(t *testing.T, c *Config) *hss {
	t.Helper()

	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}

	log := &memory.Log{}
	logger := log.Logger()

	admin, err := httpapi.Listen(c.Admin, logger)
	if err != nil {
		t.Fatal(err)
	}

	env := &service.Env{Name: "hss", Log: logger, Metrics: prometheus.NewRegistry(), Admin: admin}

	runner, err := Build(t.Context(), c, env)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())

	var running sync.WaitGroup
	running.Go(func() { _ = admin.Run(ctx) })
	running.Go(func() {
		if err := runner.Run(ctx); err != nil {
			t.Errorf("the HSS ended with %v", err)
		}
	})

	stop := sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("log of the HSS:\n%s", log)
		}
	})

	return &hss{
		T: t, Client: httpapi.Client{Base: "http://" + admin.Address().String(), Token: token},
		config: c, built: runner.(*function), log: log, registry: env.Metrics, stop: stop,
	}
}

// raw sends a request as it is, with the token.
func (h *hss) raw(method, path, contentType, body string) (*http.Response, string) {
	h.Helper()

	request, err := http.NewRequestWithContext(h.Context(), method, h.Base+path, strings.NewReader(body))
	if err != nil {
		h.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+h.Token)
	request.Header.Set("Content-Type", contentType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		h.Fatal(err)
	}

	return response, string(answer)
}

// api sends a request that must succeed.
func (h *hss) api(method, path string, in, out any) {
	h.Helper()

	if err := h.Do(h.Context(), method, path, in, out); err != nil {
		h.Fatalf("%s %s: %v", method, path, err)
	}
}

// add creates a subscriber with a SIM and returns its private identity.
func (h *hss) add(imsi, msisdn string, change ...func(*provisioning.NewSubscriber)) string {
	h.Helper()

	body := provisioning.NewSubscriber{IMSI: imsi, MSISDN: msisdn, Authentication: provisioning.Authentication{K: k, OPc: opc}}
	for _, c := range change {
		c(&body)
	}

	h.api("POST", "/subscribers", body, nil)

	return imsi + "@" + home
}

// peer is a CSCF, as connected to the HSS.
type peer struct {
	*testing.T
	*diameter.Node

	mu       sync.Mutex
	rtr      []*cx.RTR
	ppr      []*cx.PPR
	answers  []diameter.Result // to the next RTR and PPR; Success when there is none
	received chan struct{}
	stop     func()
}

// connect returns a CSCF connected to the HSS.
func connect(t *testing.T, h *hss, name string) *peer {
	t.Helper()

	c := diameter.DefaultConfig(name+"."+home, home)
	c.Peers = []diameter.Peer{{Host: h.config.Diameter.OriginHost, Realm: home, Address: h.built.Node.Addresses()[0].String()}}
	c.ReconnectMin, c.ReconnectMax = 10*time.Millisecond, 10*time.Millisecond
	c.RequestTimeout = time.Minute // so that a slow machine does not fail, but a hanging one does

	node, err := diameter.New(c, []diameter.Application{cx.Application}, diameter.Options{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}

	p := &peer{T: t, Node: node, received: make(chan struct{}, 1000)}
	diameter.Handle(node, func(_ context.Context, q *cx.RTR) (*cx.RTA, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.rtr = append(p.rtr, q)
		p.received <- struct{}{}

		return new(cx.RTA), p.next()
	})
	diameter.Handle(node, func(_ context.Context, q *cx.PPR) (*cx.PPA, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ppr = append(p.ppr, q)
		p.received <- struct{}{}

		return new(cx.PPA), p.next()
	})

	ctx, cancel := context.WithCancel(context.Background())

	var running sync.WaitGroup
	running.Go(func() { _ = node.Run(ctx) })
	p.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(p.stop)

	eventually(t, name+" is connected", func() bool {
		if node.Ready() != nil {
			return false
		}
		for _, other := range h.built.Node.Peers() {
			if other.Host == name+"."+home && other.State == "open" {
				return true
			}
		}
		return false
	})

	return p
}

func (p *peer) next() error {
	if len(p.answers) == 0 {
		return nil
	}

	result := p.answers[0]
	p.answers = p.answers[1:]

	if result == diameter.Success {
		return nil
	}

	return result
}

// pushed waits until the S-CSCF has received this many pushes.
func (p *peer) pushed(count int) {
	p.Helper()

	for range count {
		select {
		case <-p.received:
		case <-time.After(10 * time.Second):
			p.Fatalf("the S-CSCF was not told: %d RTR, %d PPR, want %d together", len(p.rtr), len(p.ppr), count)
		}
	}
}

// eventually waits for a result of other goroutines.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()

	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}

		wait := time.NewTimer(5 * time.Millisecond)
		<-wait.C
	}
}

func call[A, Q any, PA diameter.Typed[A], PQ diameter.Typed[Q]](p *peer, q *Q) *A {
	p.Helper()

	answer, err := diameter.Call[A, Q, PA, PQ](p.Context(), p.Node, q)
	if err != nil {
		p.Fatalf("%T: %v", q, err)
	}

	return answer
}

func (p *peer) uar(private, public string) *cx.UAA {
	p.Helper()
	return call[cx.UAA](p, &cx.UAR{UserName: private, PublicIdentity: public, VisitedNetwork: home})
}

func (p *peer) mar(private, public, server string, change ...func(*cx.MAR)) *cx.MAA {
	p.Helper()

	q := &cx.MAR{
		UserName: private, PublicIdentity: public, NumberOfAuthVectors: 1, ServerName: server,
		AuthDataItem: cx.AuthDataItem{Scheme: cx.SchemeDigestAKAv1MD5},
	}
	for _, c := range change {
		c(q)
	}

	return call[cx.MAA](p, q)
}

func (p *peer) sar(kind cx.ServerAssignmentType, private, server string, public ...string) *cx.SAA {
	p.Helper()
	return call[cx.SAA](p, &cx.SAR{Type: kind, UserName: private, ServerName: server, PublicIdentities: public})
}

func (p *peer) lir(public string) *cx.LIA {
	p.Helper()
	return call[cx.LIA](p, &cx.LIR{PublicIdentity: public})
}

func (p *peer) register(private, public string) {
	p.Helper()

	if a := p.mar(private, public, scscfURI); a.Result != cx.Success {
		p.Fatalf("MAR: %v %s", a.Result, a.ErrorMessage)
	}
	if a := p.sar(cx.AssignRegistration, private, scscfURI, public); a.Result != cx.Success {
		p.Fatalf("SAR: %v %s", a.Result, a.ErrorMessage)
	}
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()

	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func octets(t *testing.T, text string) []byte {
	t.Helper()

	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}

	return b
}

func card(t *testing.T) *aka.SIM {
	t.Helper()

	return aka.NewSIM(aka.NewMilenage([16]byte(octets(t, k)), [16]byte(octets(t, opc))), aka.DefaultScheme())
}

// accept makes the SIM check the first vector of an answer.
func accept(t *testing.T, sim *aka.SIM, a *cx.MAA) {
	t.Helper()

	item := a.AuthDataItems[0]
	if _, err := sim.Authenticate([16]byte(item.Authenticate[:16]), [16]byte(item.Authenticate[16:])); err != nil {
		t.Errorf("the SIM refuses the vector: %v", err)
	}
}

func TestFirstRegistrationOverTheWire(t *testing.T) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	public := "sip:" + private
	icscf, scscf := connect(t, h, "icscf"), connect(t, h, "scscf")

	a := icscf.uar(private, public)
	want(t, "first UAR", a.Result, cx.FirstRegistration)

	m := scscf.mar(private, public, scscfURI, func(q *cx.MAR) { q.NumberOfAuthVectors = 3 })
	want(t, "MAR", m.Result, cx.Success)
	want(t, "vectors", len(m.AuthDataItems), 3)
	sim := card(t)
	for _, item := range m.AuthDataItems {
		result, err := sim.Authenticate([16]byte(item.Authenticate[:16]), [16]byte(item.Authenticate[16:]))
		if err != nil || !bytes.Equal(result.RES, item.Authorization) {
			t.Fatalf("the SIM refuses the vector: %v", err)
		}
	}

	a = icscf.uar(private, public)
	want(t, "UAR with authentication pending", a.Result, cx.SubsequentRegistration)
	want(t, "its S-CSCF", a.ServerName, scscfURI)

	s := scscf.sar(cx.AssignRegistration, private, scscfURI, public)
	want(t, "SAR", s.Result, cx.Success)
	for _, part := range []string{
		"<PrivateID>" + private,
		"<Identity>tel:+15550001</Identity>",
		"<BarringIndication>1</BarringIndication>\n   <Identity>" + public,
	} {
		if !strings.Contains(string(s.UserData), part) {
			t.Errorf("no %q in\n%s", part, s.UserData)
		}
	}

	l := icscf.lir("tel:+15550001")
	want(t, "LIR", l.Result, cx.Success)
	want(t, "its S-CSCF", l.ServerName, scscfURI)
	want(t, "LIR for nobody", icscf.lir("tel:+1").Result, cx.ErrorUserUnknown)
}
