package regevent

import (
	"context"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/dialtone-ims/dialtone/scscf/internal/schedule"
)

const (
	alice  = "sip:alice@ims.example"
	number = "tel:+15550001"
)

// desk is a server whose NOTIFYs a test answers.
type desk struct {
	t      *testing.T
	s      *Server
	mu     sync.Mutex
	users  map[string]*registration.Registration
	sent   []*sip.Request
	status int           // of the answers to NOTIFY; 0: nobody answers
	hold   chan struct{} // NOTIFYs wait for it
	cseq   int
	seq    uint64
}

func (d *desk) Lookup(public string) (registration.User, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()

	g := d.users[public]
	if g == nil {
		return registration.User{}, false
	}

	return registration.User{Registration: g, Public: g.Find(public)}, true
}

func (d *desk) Registered(_ context.Context, public string) (registration.User, bool, error) {
	user, found := d.Lookup(public)
	return user, found && user.State == registration.Registered, nil
}

func (d *desk) Do(ctx context.Context, r *sip.Request, _ stack.Destination) (*sip.Response, error) {
	d.mu.Lock()
	d.sent = append(d.sent, r)
	hold, status := d.hold, d.status
	d.mu.Unlock()

	if hold != nil {
		<-hold
	}

	sip.Set(r, "Via", "SIP/2.0/UDP x;branch=z9hG4bKx")

	if status == 0 {
		select {
		case <-time.After(32 * time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		response := sip.NewResponse(withVia(d.t, r), 408, "")
		response.SetSource("local")
		return response, nil
	}

	return sip.NewResponse(withVia(d.t, r), status, ""), nil
}

func withVia(t *testing.T, r *sip.Request) *sip.Request {
	t.Helper()
	m, err := sip.ParseMessage([]byte(r.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	return m.(*sip.Request)
}

func bindingOf(id uint32, contact string) *registration.Binding {
	return &registration.Binding{
		Contact:    contact,
		Params:     `;+sip.instance="<urn:uuid:1>";audio`,
		Path:       []string{"<sip:token@192.0.2.10;lr>"},
		Private:    "alice@ims.example",
		Identity:   alice,
		ID:         id,
		Q:          1000,
		Expires:    time.Now().Add(time.Hour),
		Registered: time.Now(),
		CallID:     "c&d",
		CSeq:       2,
	}
}

func registered(bindings ...*registration.Binding) *registration.Registration {
	profile := &registration.Profile{Chain: &ifc.Chain{}, Servers: []string{"sip:as.ims.example:5080"}}
	return &registration.Registration{
		State: registration.Registered, Bindings: bindings,
		Identities: []registration.Identity{
			{URI: "sip:hidden@ims.example", Barred: true, Profile: profile},
			{URI: alice, Profile: profile},
			{URI: number, Profile: profile},
		},
	}
}

func withDesk(t *testing.T, change func(*Policy), test func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		policy := DefaultPolicy()
		policy.Trusted = []string{"presence.ims.example"}
		if change != nil {
			change(&policy)
		}

		d := &desk{t: t, users: map[string]*registration.Registration{}, status: 200}
		queue := schedule.New()
		d.s = New(
			policy,
			Options{Registrations: d, Sender: d, Contact: "sip:reg@192.0.2.12:5060", Schedule: queue, Log: slog.New(slog.DiscardHandler)},
		)
		d.set(registered(bindingOf(1, "sip:a@192.0.2.1")))

		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { queue.Run(ctx) })
		running.Go(func() { d.s.Run(ctx) })
		test(t, d)
		cancel()
		running.Wait()
	})
}

// set sets the registration of alice; nil: none.
func (d *desk) set(g *registration.Registration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seq++; g != nil {
		g.Sequence = d.seq
	}
	d.users[alice], d.users[number] = g, g
}

func (d *desk) current() *registration.Registration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.users[alice]
}

type transaction struct {
	request *sip.Request
	answer  *sip.Response
}

func (x *transaction) Request() *sip.Request         { return x.request }
func (x *transaction) Respond(r *sip.Response) error { x.answer = r; return nil }

func (d *desk) subscribe(uri, to string, headers ...string) *sip.Response {
	d.t.Helper()
	d.cseq++
	lines := append([]string{
		"SUBSCRIBE " + uri + " SIP/2.0",
		"Via: SIP/2.0/UDP 192.0.2.9;branch=" + sip.NewBranch(),
		"From: <" + alice + ">;tag=w",
		"To: " + to,
		"Call-ID: w",
		fmt.Sprintf(
			"CSeq: %d SUBSCRIBE",
			d.cseq,
		), "Event: reg", "Contact: <sip:w@192.0.2.1:5060>", "Record-Route: <sip:p2;lr>, <sip:p1;lr>",
	}, headers...)
	m, err := sip.ParseMessage([]byte(strings.Join(lines, "\r\n") + "\r\n\r\n"))
	if err != nil {
		d.t.Fatal(err)
	}
	x := &transaction{request: m.(*sip.Request)}
	d.s.HandleSubscribe(d.t.Context(), x)
	return x.answer
}

func (d *desk) watch() *sip.Response {
	d.t.Helper()
	answer := d.subscribe(alice, "<"+alice+">", "P-Asserted-Identity: <"+number+">", "Expires: 3600")
	if answer.StatusCode != 200 {
		d.t.Fatalf("%s", answer)
	}
	return answer
}

func to(answer *sip.Response) string { return answer.To().Value() }

// notified returns the NOTIFYs so far in short: version, state, Subscription-State.
func (d *desk) notified() string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()

	var all []string
	for _, r := range d.sent {
		var document struct {
			Version int    `xml:"version,attr"`
			State   string `xml:"state,attr"`
		}
		if err := xml.Unmarshal(r.Body(), &document); err != nil {
			d.t.Fatal(err)
		}
		state, _, _ := strings.Cut(sip.Value(r, "Subscription-State"), ";expires")
		all = append(all, fmt.Sprintf("%d %s %s", document.Version, document.State, state))
	}

	return strings.Join(all, ", ")
}

func (d *desk) wantNotified(want string) {
	d.t.Helper()
	if got := d.notified(); got != want {
		d.t.Errorf("NOTIFYs: %q, want %q", got, want)
	}
}

// happen changes the registration and publishes the change.
func (d *desk) happen(after *registration.Registration, changes ...registration.ContactChange) {
	before := d.current()
	d.set(after)
	d.s.Changed(registration.Change{Before: before, After: after, Contacts: changes})
}
