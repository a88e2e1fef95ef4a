package session

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/border"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/call"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/numbering"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/dialtone-ims/dialtone/scscf/internal/verdict"
	"github.com/dialtone-ims/dialtone/test/memory"
)

const (
	home  = "ims.example"
	alice = "sip:alice@" + home
	bob   = "sip:bob@" + home

	scscfAddress = "192.0.2.3:5060"
	serviceRoute = "<sip:orig@" + scscfAddress + ";lr>"
	phone        = 7                      // the contact of everybody who is registered
	ackTime      = 128 * time.Second      // 64*T1 of TS 24.229 §7.7, for the ACK of an answer
	lateBye      = 500 * time.Millisecond // until the BYE to a callee that answers too late
	asRoute      = "<sip:" + scscfAddress + ";lr;orig>"
)

// desk is an S-CSCF between a P-CSCF, an I-CSCF, an application server, a gateway and an OCS that a test plays.
type desk struct {
	t       *testing.T
	network *memory.Network
	server  *Server
	trigger *charging.Trigger
	stop    func()
	log     *memory.Log

	pcscf, icscf, as, gateway, phone *memory.Peer

	config    Config
	charge    charging.Config
	core      border.Core
	directory string // where calls are kept; "": nowhere
	nowhere   bool   // there is no DNS
	plan      numbering.Plan
	enum      numbering.Enum

	mu      sync.Mutex
	users   map[string]registration.User
	fetch   func(public string) (registration.User, error)
	kept    map[string]bool // registrations from before a restart whose profile comes with Registered only
	away    error           // why the HSS gives no profile for registrations from before a restart
	ocs     func(q *ro.CCR) (*ro.CCA, error)
	asked   []string // CCRs
	session string   // the Diameter Session-Id of the first
	killed  bool     // the process is dead: its requests reach nobody
	failed  []string // contacts whose flow has failed
	cseq    int
	route   string // Route of the caller's requests within the last call
}

// HandleRequest and HandleAck are called by the stack.
func (d *desk) HandleRequest(ctx context.Context, tx *stack.ServerTransaction) {
	d.server.HandleRequest(ctx, tx)
}

func (d *desk) HandleAck(ctx context.Context, ack *stack.Ack) { d.server.HandleAck(ctx, ack) }

func (d *desk) Lookup(public string) (registration.User, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()

	user, found := d.users[public]

	return user, found && !d.kept[public]
}

func (d *desk) Registered(_ context.Context, public string) (registration.User, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	user, found := d.users[public]

	return user, found && user.State == registration.Registered, d.away
}

func (d *desk) Registration(public string) (*registration.Registration, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()

	user, found := d.users[public]

	return user.Registration, found
}

func (d *desk) FlowFailed(public string, contact *registration.Binding) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.failed = append(d.failed, public+" "+contact.Contact)
}

func (d *desk) FetchUnregistered(_ context.Context, public string) (registration.User, error) {
	if d.fetch == nil {
		return registration.User{}, verdict.Diameter(504, diameter.UnableToDeliver, "no HSS")
	}

	return d.fetch(public)
}

// CreditControl grants ten minutes, unless the test says otherwise.
func (d *desk) CreditControl(_ context.Context, q *ro.CCR) (*ro.CCA, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	if d.killed {
		return nil, diameter.ErrTimeout
	}

	line := fmt.Sprintf("%d#%d", q.Type, q.Number)

	for _, service := range q.MultipleServicesCreditControl {
		for _, used := range service.Used {
			switch {
			case used.Time != nil:
				line += fmt.Sprintf(" used %ds", *used.Time)
			case used.ServiceSpecificUnits != nil:
				line += fmt.Sprintf(" used %d", *used.ServiceSpecificUnits)
			}
		}
	}

	if code := q.ServiceInformation.IMS.CauseCode; code != nil {
		line += fmt.Sprintf(" cause %d", *code)
	}

	d.asked = append(d.asked, line)
	if d.session == "" {
		d.session = q.SessionID
	}

	if d.ocs != nil {
		return d.ocs(q)
	}

	seconds, one := uint32(600), uint64(1)
	a := &ro.CCA{
		MultipleServicesCreditControl: []ro.MultipleServicesCreditControl{
			{Granted: &ro.ServiceUnit{Time: &seconds, ServiceSpecificUnits: &one}},
		},
	}
	a.Result = ro.Success

	return a, nil
}

func (d *desk) wantAsked(want ...string) {
	d.t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()

	if got := strings.Join(d.asked, ", "); got != strings.Join(want, ", ") {
		d.t.Errorf("the OCS was asked\n%s\nwant\n%s", got, strings.Join(want, ", "))
	}
}

// user returns a user in this state, with these criteria.
func (d *desk) user(public string, state registration.State, criteria ...ifc.InitialFilterCriterion) registration.User {
	d.t.Helper()

	chain, err := ifc.Compile(ifc.ServiceProfile{InitialFilterCriteria: criteria}, nil)
	if err != nil {
		d.t.Fatal(err)
	}

	g := &registration.Registration{
		State: state, Private: "private@" + home,
		Identities: []registration.Identity{
			{URI: public, Profile: &registration.Profile{Chain: chain, MediaProfile: registration.NoMediaProfile}},
		},
	}
	if state == registration.Registered {
		g.Bindings = []*registration.Binding{{
			ID:      phone,
			Contact: "sip:phone@192.0.2.9:5060",
			Path:    []string{"<sip:token@192.0.2.9:5060;lr>"},
			Expires: time.Now().Add(100 * time.Hour),
		}}
	}

	u := registration.User{Registration: g, Public: &g.Identities[0]}
	d.mu.Lock()
	d.users[public] = u
	d.mu.Unlock()

	return u
}

// criterion sends INVITEs of one session case to the application server.
func criterion(session ifc.SessionCase) ifc.InitialFilterCriterion {
	method := "INVITE"

	return ifc.InitialFilterCriterion{
		ApplicationServer: ifc.ApplicationServer{ServerName: "sip:192.0.2.40:5060", DefaultHandling: 0},
		TriggerPoint: &ifc.TriggerPoint{SPTs: []ifc.SPT{
			{Method: &method, Groups: []int{0}}, {SessionCase: &session, Groups: []int{1}},
		}},
	}
}

func (d *desk) start() {
	d.t.Helper()

	c := stack.DefaultConfig(
		stack.EndpointConfig{Name: "Mw", Address: scscfAddress, Transports: []string{"udp", "tcp"}, Names: []string{"scscf." + home}},
	)
	c.Resolver.Hosts = map[string][]string{
		"icscf." + home: {
			"192.0.2.2",
		}, "as." + home: {"192.0.2.40"}, "evil.example": {"192.0.2.40"}, "elsewhere.example": {"192.0.2.50"}, "gateway.example": {"192.0.2.50"},
	}

	if d.nowhere {
		c.Resolver.Servers, c.Resolver.Timeout = []string{"127.0.0.1:1"}, time.Millisecond
	}

	stack, err := stack.New(c, d, stack.Options{
		Network: d.network, Screen: d.core.Screen(func(r *sip.Request) bool { return d.server.Abroad(r) }),
	})
	if err != nil {
		d.t.Fatal(err)
	}

	id, log := 0, d.log.Logger()
	d.trigger = charging.New(d.charge, charging.Options{
		OCS: d, NewSessionID: func() string { id++; return fmt.Sprint("session;", id, time.Now().UnixNano()) }, Log: log,
		Metrics: prometheus.NewRegistry(),
	})
	d.server = New(d.config, Options{
		Stack: stack, Endpoint: stack.Endpoint("Mw"), Registrations: d, Charging: d.trigger, Log: log, Metrics: prometheus.NewRegistry(),
		Numbers: numbering.New(numbering.Options{Plan: d.plan, HomeDomain: home, Enum: d.enum, Log: log}),
	})

	if d.directory != "" {
		if err := d.trigger.Restore(d.directory); err != nil {
			d.t.Fatal(err)
		}
		if err := d.server.calls.Restore(d.directory); err != nil {
			d.t.Fatal(err)
		}
	}

	ctx, cancel := context.WithCancel(d.t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := stack.Run(ctx); err != nil {
			d.t.Error(err)
		}
	})
	running.Go(func() { d.server.calls.Resume(ctx, func(context.Context) {}) })

	server, trigger := d.server, d.trigger
	d.stop = func() {
		cancel()
		running.Wait()
		if err := server.calls.Close(); err != nil {
			d.t.Error(err)
		}
		if err := trigger.Close(); err != nil {
			d.t.Error(err)
		}
	}
}

func withDesk(t *testing.T, change func(d *desk), test func(t *testing.T, d *desk)) {
	t.Helper()

	directory := t.TempDir()

	synctest.Test(t, func(t *testing.T) {
		d := &desk{
			t: t, network: memory.New(), log: &memory.Log{}, users: map[string]registration.User{}, kept: map[string]bool{}, directory: directory,
			config: Config{HomeDomain: home, Interrogator: "sip:icscf." + home + ":5060", Timer: call.Timer{MinSE: 90 * time.Second}},
			charge: charging.Config{
				Enabled: true, Events: charging.Immediate, EventMethods: []string{"MESSAGE"}, ServiceContextID: ro.ServiceContextIMS,
				UpdateMargin: 10 * time.Second, FailureHandling: charging.Terminate, Realm: home,
			},
		}
		d.user(alice, registration.Registered)

		if change != nil {
			change(d)
		}

		d.pcscf, d.icscf = d.network.Peer(t, "192.0.2.1:5060"), d.network.Peer(t, "192.0.2.2:5060")
		d.as, d.gateway, d.phone = d.network.Peer(
			t,
			"192.0.2.40:5060",
		), d.network.Peer(
			t,
			"192.0.2.50:5060",
		), d.network.Peer(
			t,
			"192.0.2.9:5060",
		)
		d.start()
		test(t, d)

		if t.Failed() {
			t.Log(d.log)
		}

		d.stop()
	})
}

// send sends a request from a peer to the S-CSCF.
func (d *desk) send(from *memory.Peer, method, uri, route string, lines ...string) {
	d.t.Helper()
	d.cseq++

	head := []string{
		method + " " + uri + " SIP/2.0",
		"Via: SIP/2.0/UDP " + from.Address() + ";branch=" + sip.NewBranch(),
		fmt.Sprintf("CSeq: %d %s", d.cseq, method),
	}
	standard := [][2]string{
		{"Max-Forwards", "70"},
		{"From", "<" + alice + ">;tag=a"},
		{"To", "<" + bob + ">"},
		{"Call-ID", fmt.Sprint("call", d.cseq)},
		{"Contact", "<sip:caller@" + from.Address() + ">"},
		{"P-Asserted-Identity", "<" + alice + ">"},
		{"Route", route},
	}

	for _, h := range standard {
		given := false
		for _, line := range lines {
			given = given || strings.HasPrefix(line, h[0]+":")
		}
		if !given && h[1] != "" {
			head = append(head, h[0]+": "+h[1])
		}
	}

	from.Send(scscfAddress, append(head, lines...)...)
}

// talk sets up a call from alice: the INVITE to the I-CSCF, and its 200. It returns the INVITE as the I-CSCF got it.
func (d *desk) talk(answer ...string) *sip.Request {
	d.t.Helper()
	d.send(d.pcscf, "INVITE", bob, serviceRoute, "Record-Route: <sip:192.0.2.1;lr>")

	invite := d.icscf.Request("INVITE")
	d.icscf.Answer(invite, 200, append([]string{
		"To: <" + bob + ">;tag=b", "Contact: <sip:callee@192.0.2.2:5060>", "Record-Route: " + sip.Value(invite, "Record-Route"),
		"Record-Route: <sip:192.0.2.1;lr>",
	}, answer...)...)
	d.route = sip.Value(d.pcscf.Response(200), "Record-Route")
	d.within(invite, "ACK")
	d.icscf.Request("ACK")
	synctest.Wait()

	return invite
}

// within sends a request of the caller within the call.
func (d *desk) within(invite *sip.Request, method string, lines ...string) {
	d.t.Helper()
	d.send(
		d.pcscf,
		method,
		"sip:callee@192.0.2.2:5060",
		d.route,
		append([]string{"To: <" + bob + ">;tag=b", "Call-ID: " + invite.CallID().Value()}, lines...)...)
}
