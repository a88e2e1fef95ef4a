package registrar

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/dialtone-ims/dialtone/scscf/internal/schedule"
	"github.com/dialtone-ims/dialtone/test/memory"
)

const (
	homeDomain = "ims.example"
	private1   = "alice@ims.example"
	public1    = "sip:alice@ims.example"
	number1    = "tel:+15550001"
	contact1   = "<sip:alice@192.0.2.1:5060>"
)

func document(private string, profiles ...string) string {
	return "<IMSSubscription><PrivateID>" + private + "</PrivateID>" + strings.Join(profiles, "") + "</IMSSubscription>"
}

func profileOfTest(criteria string, identities ...string) string {
	text := "<ServiceProfile>"
	for _, identity := range identities {
		barred := ""
		if uri, found := strings.CutPrefix(identity, "barred "); found {
			identity, barred = uri, "<BarringIndication>1</BarringIndication>"
		}
		text += "<PublicIdentity>" + barred + "<Identity>" + identity + "</Identity></PublicIdentity>"
	}
	return text + criteria + "</ServiceProfile>"
}

const someCriterion = `<InitialFilterCriteria><Priority>0</Priority><ApplicationServer><ServerName>sip:as.ims.example</ServerName>` +
	`<DefaultHandling>0</DefaultHandling></ApplicationServer></InitialFilterCriteria>`

// lab is a registrar between a handset and an HSS that the test plays.
type lab struct {
	t   *testing.T
	r   *Registrar
	log *memory.Log

	mu       sync.Mutex
	vectors  uint32
	userData string
	digest   *cx.DigestAuthenticate
	charging *cx.ChargingInformation
	mar      []*cx.MAR
	sar      []*cx.SAR
	fail     error                                       // no answer at all
	result   map[cx.ServerAssignmentType]diameter.Result // of SARs
	hold     map[cx.ServerAssignmentType]chan struct{}   // SARs of this type wait for it
	maa      func(*cx.MAA)
	changes  []registration.Change
	cseq     int
	callID   string
}

// newLab returns a lab, and the function that stops it.
func newLab(t *testing.T, policy Policy) (*lab, func()) {
	l := &lab{
		t: t, log: &memory.Log{}, userData: document(private1, profileOfTest(someCriterion, public1, number1)),
		result: map[cx.ServerAssignmentType]diameter.Result{}, hold: map[cx.ServerAssignmentType]chan struct{}{}, callID: "call-1",
	}
	queue := schedule.New()
	l.r = New(policy, Options{
		HSS: l, Schedule: queue, HomeDomain: homeDomain, ServiceRoute: "sip:orig@scscf.ims.example;lr",
		Log: l.log.Logger(),
	})
	l.r.Observe(func(c registration.Change) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.changes = append(l.changes, c)
	})

	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { queue.Run(ctx) })
	running.Go(func() { l.r.Run(ctx, func() error { return nil }) })

	return l, func() {
		cancel()
		running.Wait()
	}
}

// withLab runs a test within a bubble whose clock only moves when all sleep.
func withLab(t *testing.T, change func(*Policy), test func(t *testing.T, l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		policy := DefaultPolicy()
		if change != nil {
			change(&policy)
		}
		if err := policy.Validate(); err != nil {
			t.Fatal(err)
		}

		l, stop := newLab(t, policy)
		test(t, l)
		stop()
	})
}

var xres = []byte{1, 2, 3, 4, 5, 6, 7, 8}

func (l *lab) MultimediaAuth(_ context.Context, q *cx.MAR) (*cx.MAA, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.mar = append(l.mar, q)
	if l.fail != nil {
		return nil, l.fail
	}

	a := &cx.MAA{}
	a.Result = cx.Success

	if l.digest != nil {
		a.AuthDataItems = []cx.AuthDataItem{{Scheme: cx.SchemeSIPDigest, Digest: l.digest}}
	} else {
		l.vectors++
		random := make([]byte, 32)
		binary.BigEndian.PutUint32(random, l.vectors)
		a.AuthDataItems = []cx.AuthDataItem{{
			Scheme:             cx.SchemeDigestAKAv1MD5,
			Authenticate:       random,
			Authorization:      xres,
			IntegrityKey:       make([]byte, 16),
			ConfidentialityKey: make([]byte, 16),
		}}
	}

	if l.maa != nil {
		l.maa(a)
	}

	return a, nil
}

func (l *lab) ServerAssignment(ctx context.Context, q *cx.SAR) (*cx.SAA, error) {
	l.mu.Lock()
	hold := l.hold[q.Type]
	l.sar = append(l.sar, q)
	l.mu.Unlock()

	if hold != nil {
		<-hold
	}

	l.mu.Lock()
	defer l.mu.Unlock()

	if l.fail != nil {
		return nil, l.fail
	}

	a := &cx.SAA{UserName: private1, ChargingInformation: l.charging}
	a.Result = cx.Success
	if r, set := l.result[q.Type]; set {
		a.Result = r
	}

	switch q.Type {
	case cx.AssignRegistration, cx.ReRegistration, cx.UnregisteredUser, cx.NoAssignment:
		if q.DataAlreadyAvailable == cx.UserDataNotAvailable {
			a.UserData = []byte(l.userData)
		}
	}

	return a, nil
}

// assigned returns the types of the SARs so far.
func (l *lab) assigned() string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()

	var types []string
	for _, q := range l.sar {
		types = append(types, fmt.Sprint(uint32(q.Type)))
	}

	return strings.Join(types, " ")
}

func (l *lab) wantAssigned(want string) {
	l.t.Helper()
	if got := l.assigned(); got != want {
		l.t.Errorf("SAR types %q, want %q", got, want)
	}
}

// events returns the events of contacts so far, one change after the other.
func (l *lab) events() string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()

	var all []string
	for _, c := range l.changes {
		var events []string
		for _, contact := range c.Contacts {
			events = append(events, string(contact.Event))
		}
		all = append(all, strings.Join(events, "+"))
	}

	return strings.Join(all, " ")
}

func (l *lab) wantEvents(want string) {
	l.t.Helper()
	if got := l.events(); got != want {
		l.t.Errorf("contact events %q, want %q", got, want)
	}
}

type transaction struct {
	request *sip.Request
	mu      sync.Mutex
	answer  *sip.Response
}

func (x *transaction) Request() *sip.Request { return x.request }

func (x *transaction) Respond(r *sip.Response) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.answer != nil {
		return errors.New("answered twice")
	}
	x.answer = r
	return nil
}

func parse(t testing.TB, text string) *sip.Request {
	t.Helper()
	m, err := sip.ParseMessage([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m.(*sip.Request)
}

func registerText(public, callID string, cseq int, headers ...string) string {
	lines := append([]string{
		"REGISTER sip:ims.example SIP/2.0",
		"Via: SIP/2.0/UDP 192.0.2.9;branch=" + sip.NewBranch(),
		"From: <" + public + ">;tag=1",
		"To: <" + public + ">",
		"Call-ID: " + callID, fmt.Sprintf("CSeq: %d REGISTER", cseq), "Supported: path",
	}, headers...)
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Path: ") }) {
		lines = append(lines, "Path: <sip:token@192.0.2.10;lr>")
	}

	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// send sends a REGISTER with credentials (nil: none) and further header lines.
func (l *lab) send(public string, c *digest.Credentials, headers ...string) *sip.Response {
	l.t.Helper()

	l.cseq++
	if c != nil {
		headers = append(headers, "Authorization: "+c.String())
	}

	x := &transaction{request: parse(l.t, registerText(public, l.callID, l.cseq, headers...))}
	l.r.HandleRegister(l.t.Context(), x)
	if x.answer == nil {
		l.t.Fatal("the REGISTER was not answered")
	}

	return x.answer
}

func (l *lab) wantStatus(r *sip.Response, status int) *sip.Response {
	l.t.Helper()
	if r.StatusCode != status {
		l.t.Fatalf("status %d, want %d:\n%s", r.StatusCode, status, r)
	}
	return r
}

func first(private string) *digest.Credentials {
	return &digest.Credentials{Username: private, Realm: homeDomain, URI: "sip:ims.example"}
}

// answerTo returns the credentials that answer a challenge.
func (l *lab) answerTo(challenge *sip.Response, private string, password []byte) *digest.Credentials {
	l.t.Helper()
	ch, err := digest.ParseChallenge(sip.Value(challenge, "WWW-Authenticate"))
	if err != nil {
		l.t.Fatal(err)
	}
	c, err := digest.Answer(ch, private, password, "REGISTER", "sip:ims.example", nil, 1, "c")
	if err != nil {
		l.t.Fatal(err)
	}
	return &c
}

// register goes through challenge and response.
func (l *lab) register(private, public string, headers ...string) *sip.Response {
	l.t.Helper()
	challenge := l.wantStatus(l.send(public, first(private), headers...), 401)
	return l.send(public, l.answerTo(challenge, private, xres), headers...)
}
