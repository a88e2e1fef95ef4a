package main_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/pkg/child"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/trace"
	"github.com/dialtone-ims/dialtone/test/openapi"
	"github.com/dialtone-ims/dialtone/test/postgres"
	"github.com/dialtone-ims/dialtone/test/scratch"
)

const realm = "ims.mnc001.mcc001.3gppnetwork.org"

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dialtone-ocs")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	binary = filepath.Join(dir, "ocs")
	os.Setenv(httpapi.TokenVariable, filepath.Join(dir, "admin.token"))

	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		os.Exit(1)
	}

	description, err := os.ReadFile("internal/app/openapi.json")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	status := openapi.Main(m, description)
	postgres.Stop()
	os.RemoveAll(dir)
	os.Exit(status)
}

// ocs is the real binary over a ledger that outlives it, and a network function that charges with it.
type ocs struct {
	*testing.T
	data, ro, admin string
	environment     []string

	command *exec.Cmd
	api     httpapi.Client
	node    *diameter.Node

	rar chan *ro.RAR // what the OCS has asked for
	asr chan *ro.ASR

	mu     sync.Mutex
	all    [][]byte        // every message of either side
	last   []byte          // the CCA that came last, as it came
	answer diameter.Result // to the next RAR and ASR; LimitedSuccess and Success if there is none
}

// obliging makes the network function comply with every request.
func (o *ocs) obliging(otherwise diameter.Result) diameter.Result {
	o.mu.Lock()
	defer o.mu.Unlock()

	if o.answer != (diameter.Result{}) {
		return o.answer
	}

	return otherwise
}

func (o *ocs) disobey(result diameter.Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = result
}

func free(t *testing.T) string {
	t.Helper()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	return l.Addr().String()
}

func run(t *testing.T, environment ...string) *ocs {
	t.Helper()

	o := &ocs{
		T:           t,
		data:        filepath.Join(scratch.Dir(t), "data"),
		ro:          free(t),
		admin:       free(t),
		environment: environment,
		rar:         make(chan *ro.RAR, 100),
		asr:         make(chan *ro.ASR, 100),
	}
	o.api.Base = "http://" + o.admin
	o.start()

	c := diameter.DefaultConfig("scscf."+realm, realm)
	c.Peers = []diameter.Peer{{Host: "ocs." + realm, Realm: realm, Address: o.ro}}
	c.ReconnectMin, c.ReconnectMax = 10*time.Millisecond, 20*time.Millisecond
	node, err := diameter.New(c, []diameter.Application{ro.Application}, diameter.Options{Tap: o.tap})
	if err != nil {
		t.Fatal(err)
	}
	o.node = node
	diameter.Handle(node, func(_ context.Context, q *ro.RAR) (*ro.RAA, error) {
		o.rar <- q
		a := &ro.RAA{}
		a.Result = o.obliging(ro.LimitedSuccess)
		return a, nil
	})
	diameter.Handle(node, func(_ context.Context, q *ro.ASR) (*ro.ASA, error) {
		o.asr <- q
		a := &ro.ASA{}
		a.Result = o.obliging(ro.Success)
		return a, nil
	})

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = node.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		o.kill()
	})

	return o
}

// tap keeps the last CCA, without the identifiers that must differ: hop-by-hop and end-to-end.
func (o *ocs) tap(m trace.Message) {
	const creditControl = 272

	o.mu.Lock()
	o.all = append(o.all, bytes.Clone(m.Data))
	o.mu.Unlock()

	if m.Sent || len(m.Data) < 20 || int(m.Data[5])<<16|int(m.Data[6])<<8|int(m.Data[7]) != creditControl {
		return
	}

	o.mu.Lock()
	defer o.mu.Unlock()

	o.last = bytes.Clone(m.Data)
	copy(o.last[12:20], make([]byte, 8))
}

func (o *ocs) lastAnswer() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.last
}

func (o *ocs) start() {
	o.Helper()

	o.command = exec.Command(binary)
	o.command.Stderr = os.Stderr
	o.command.Env = slices.Concat(os.Environ(), []string{
		"DIALTONE_OCS_DATA=" + o.data, "DIALTONE_OCS_ADMIN_ADDRESS=" + o.admin, "DIALTONE_OCS_LOG_LEVEL=error",
		"DIALTONE_OCS_DIAMETER_LISTEN=[{address: \"" + o.ro + "\"}]",
	}, o.environment)
	child.Bind(o.command, syscall.SIGKILL)
	if err := o.command.Start(); err != nil {
		o.Fatal(err)
	}
	o.await("the OCS to be ready", func() bool { return o.api.Do(context.Background(), "GET", "/readyz", nil, nil) == nil })
	o.api = httpapi.Local(o.api.Base)
}

func (o *ocs) kill() {
	_ = o.command.Process.Kill()
	_ = o.command.Wait()
}

func (o *ocs) await(what string, condition func() bool) {
	o.Helper()

	if !wait(condition) {
		o.Fatalf("waited in vain for %s", what)
	}
}

func wait(condition func() bool) bool {
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()

	for !condition() {
		select {
		case <-deadline:
			return false
		case <-tick.C:
		}
	}

	return true
}

func (o *ocs) do(method, path string, in, out any) {
	o.Helper()

	if err := o.api.Do(o.Context(), method, path, in, out); err != nil {
		o.Fatalf("%s %s: %v", method, path, err)
	}
}

func (o *ocs) provision(balance int64, rate map[string]any) {
	o.Helper()

	o.do("PUT", "/tariffs/standard", map[string]any{"name": "standard", "rates": []any{rate}}, nil)
	o.do("POST", "/accounts", map[string]any{"name": "alice", "balance": balance, "identities": []string{"tel:+15550001"}}, nil)
}

var perSecond = map[string]any{"prefix": "", "price": 1, "interval": 1, "increment": 1, "event_price": 10}

type state struct{ Balance, Reserved int64 }

// account returns alice's account; the ledger is audited, too.
func (o *ocs) account() (s state) {
	o.Helper()
	o.do("GET", "/accounts/alice", nil, &s)

	var audit struct {
		Balances int64    `json:"sum_of_balances"`
		Entries  int64    `json:"sum_of_entries"`
		Findings []string `json:"findings"`
	}
	o.do("GET", "/ledger/audit", nil, &audit)
	if audit.Balances != 0 || audit.Entries != 0 || len(audit.Findings) > 0 {
		o.Errorf("the ledger does not add up: %+v", audit)
	}

	return s
}

func seconds(n uint32) *uint32 { return &n }

func ccr(session string, kind ro.RequestType, number uint32, want, used *uint32) *ro.CCR {
	group := uint32(100)
	service := ro.MultipleServicesCreditControl{RatingGroup: &group}
	if want != nil {
		service.Requested = &ro.ServiceUnit{Time: want}
	}
	if used != nil {
		service.Used = []ro.ServiceUnit{{Time: used}}
	}
	q := &ro.CCR{
		ServiceContextID: ro.ServiceContextIMS, Type: kind, Number: number,
		Subscriptions:                 []ro.SubscriptionID{{Type: ro.E164, Data: "15550001"}},
		MultipleServicesCreditControl: []ro.MultipleServicesCreditControl{service},
		ServiceInformation: &ro.ServiceInformation{
			IMS: &ro.IMSInformation{NodeFunctionality: ro.NodeSCSCF, CalledPartyAddress: "tel:+15550002"},
		},
	}
	q.SessionID = session

	return q
}

// try sends a request until it is answered, like a network function that has lost its OCS for a moment.
func (o *ocs) try(q *ro.CCR) (answer *credit.Answer, ok bool) {
	return answer, wait(func() bool {
		var err error
		copied := *q
		answer, err = diameter.Call[credit.Answer](o.Context(), o.node, &copied)
		return err == nil
	})
}

func (o *ocs) send(q *ro.CCR) *credit.Answer {
	o.Helper()

	answer, ok := o.try(q)
	if !ok {
		o.Fatalf("no answer to CCR %s/%d", q.SessionID, q.Number)
	}

	return answer
}

func granted(a *credit.Answer) uint32 {
	for _, service := range a.MultipleServicesCreditControl {
		if service.Granted != nil && service.Granted.Time != nil {
			return *service.Granted.Time
		}
	}

	return 0
}
