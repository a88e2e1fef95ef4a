package main_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

const realm = "ims.mnc001.mcc001.3gppnetwork.org"

// ocs is the real binary, over a ledger that outlives it.
type ocs struct {
	*testing.T
	binary, data, ro, admin string

	command *exec.Cmd
	api     httpapi.Client
	node    *diameter.Node
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

func build(t *testing.T) *ocs {
	t.Helper()

	dir := t.TempDir()
	o := &ocs{T: t, binary: filepath.Join(dir, "ocs"), data: filepath.Join(dir, "data"), ro: free(t), admin: free(t)}
	if out, err := exec.Command("go", "build", "-o", o.binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	o.api.Base = "http://" + o.admin
	o.start()

	c := diameter.DefaultConfig("scscf."+realm, realm)
	c.Peers = []diameter.Peer{{Host: "ocs." + realm, Realm: realm, Address: o.ro}}
	c.ReconnectMin, c.ReconnectMax = 20*time.Millisecond, 50*time.Millisecond
	node, err := diameter.New(c, []diameter.Application{ro.Application}, diameter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o.node = node

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		o.kill()
	})

	return o
}

func (o *ocs) start() {
	o.Helper()

	o.command = exec.Command(o.binary)
	o.command.Stderr = os.Stderr
	o.command.Env = append(os.Environ(), "DIALTONE_OCS_DATA="+o.data, "DIALTONE_OCS_ADMIN_ADDRESS="+o.admin, "DIALTONE_OCS_LOG_LEVEL=warn",
		"DIALTONE_OCS_DIAMETER_LISTEN=[{address: \""+o.ro+"\"}]")
	o.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := o.command.Start(); err != nil {
		o.Fatal(err)
	}
	o.await("the OCS to be ready", func() bool { return o.api.Do(context.Background(), "GET", "/readyz", nil, nil) == nil })
}

func (o *ocs) kill() {
	_ = o.command.Process.Kill()
	_ = o.command.Wait()
}

func (o *ocs) await(what string, condition func() bool) {
	o.Helper()

	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()

	for !condition() {
		select {
		case <-deadline:
			o.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

func (o *ocs) do(method, path string, in, out any) {
	o.Helper()

	if err := o.api.Do(o.Context(), method, path, in, out); err != nil {
		o.Fatal(err)
	}
}

func (o *ocs) provision(balance int64, rate map[string]any) {
	o.Helper()

	o.do("PUT", "/tariffs/standard", map[string]any{"name": "standard", "rates": []any{rate}}, nil)
	o.do("POST", "/accounts", map[string]any{"name": "alice", "balance": balance, "identities": []string{"tel:+15550001"}}, nil)
}

var perSecond = map[string]any{"prefix": "", "price": 1, "interval": 1, "increment": 1, "event_price": 10}

type state struct{ Balance, Reserved int64 }

func (o *ocs) account() (s state) {
	o.Helper()
	o.do("GET", "/accounts/alice", nil, &s)

	var book struct {
		Balances int64 `json:"sum_of_balances"`
		Entries  int64 `json:"sum_of_entries"`
	}
	o.do("GET", "/ledger", nil, &book)
	if book.Balances != 0 || book.Entries != 0 {
		o.Errorf("the ledger does not add up: balances %d, entries %d", book.Balances, book.Entries)
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
		ServiceInformation:            &ro.ServiceInformation{IMS: &ro.IMSInformation{NodeFunctionality: ro.NodeSCSCF, CalledPartyAddress: "tel:+15550002"}},
	}
	q.SessionID = session

	return q
}

func (o *ocs) send(q *ro.CCR) *ro.CCA {
	o.Helper()

	var answer *ro.CCA
	o.await("an answer", func() bool {
		var err error
		copied := *q
		answer, err = diameter.Call[ro.CCA](o.Context(), o.node, &copied)
		return err == nil
	})

	return answer
}

func granted(a *ro.CCA) uint32 {
	for _, service := range a.MultipleServicesCreditControl {
		if service.Granted != nil && service.Granted.Time != nil {
			return *service.Granted.Time
		}
	}

	return 0
}

// TestWorkedExample: granted 600 s, updated at 500 s used with 300 s more, released at 700 s in total: debited exactly 700 s, and
// whatever was reserved beyond them returned; once as it is, once with every CCR sent twice, once with the OCS killed between any
// two of them.
func TestWorkedExample(t *testing.T) {
	for name, between := range map[string]func(*ocs, *ro.CCR, *ro.CCA){
		"once": func(*ocs, *ro.CCR, *ro.CCA) {},
		"every CCR twice": func(o *ocs, q *ro.CCR, first *ro.CCA) {
			if again := o.send(q); again.Result != first.Result || granted(again) != granted(first) {
				o.Errorf("CCR %d again is answered %v with %d s, not %v with %d s", q.Number, again.Result, granted(again), first.Result, granted(first))
			}
		},
		"killed between any two": func(o *ocs, q *ro.CCR, first *ro.CCA) {
			o.kill()
			o.start()
			if again := o.send(q); granted(again) != granted(first) {
				o.Errorf("after the restart CCR %d grants %d s, not %d", q.Number, granted(again), granted(first))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := build(t)
			o.provision(1000, perSecond)

			for _, step := range []struct {
				q       *ro.CCR
				granted uint32
				after   state
			}{
				{ccr("s;1", ro.Initial, 0, seconds(600), nil), 600, state{400, 600}},
				{ccr("s;1", ro.Update, 1, seconds(300), seconds(500)), 300, state{200, 300}},
				{ccr("s;1", ro.Terminate, 2, nil, seconds(200)), 0, state{300, 0}},
			} {
				a := o.send(step.q)
				if a.Result != ro.Success || granted(a) != step.granted {
					t.Fatalf("CCR %d: %v with %d s, want %d s", step.q.Number, a.Result, granted(a), step.granted)
				}
				between(o, step.q, a)
				if got := o.account(); got != step.after {
					t.Errorf("after CCR %d: %+v, want %+v", step.q.Number, got, step.after)
				}
			}

			var records []struct {
				Billed   int64 `json:"billed_seconds"`
				Amount   int64 `json:"amount"`
				Reserved int64 `json:"reserved_in_all"`
				Returned int64 `json:"returned"`
			}
			o.do("GET", "/cdrs", nil, &records)
			if len(records) != 1 || records[0].Billed != 700 || records[0].Amount != 700 || records[0].Returned != 200 || records[0].Reserved != 900 {
				t.Errorf("records %+v, want one of 700 s and 700, 900 reserved, 200 returned", records)
			}
		})
	}
}

// TestThreeDollars: with $3 at $1 for each started minute a call is cut before the fourth minute; two minutes used give $1 back.
func TestThreeDollars(t *testing.T) {
	o := build(t)
	o.provision(300, map[string]any{"prefix": "", "price": 100, "interval": 60, "increment": 60})

	a := o.send(ccr("s;1", ro.Initial, 0, seconds(3600), nil))
	if granted(a) != 180 || a.MultipleServicesCreditControl[0].FinalUnitIndication == nil {
		t.Fatalf("granted %d s, want the last 180", granted(a))
	}
	if second := o.send(ccr("s;2", ro.Initial, 0, seconds(60), nil)); second.Result != ro.CreditLimitReached {
		t.Errorf("a second call on the same money: %v, want 4012", second.Result)
	}
	o.send(ccr("s;1", ro.Terminate, 1, nil, seconds(120)))
	if got := o.account(); got != (state{100, 0}) {
		t.Errorf("%+v, want 100 back", got)
	}
}

func TestResults(t *testing.T) {
	o := build(t)
	o.provision(20, perSecond)

	stranger := ccr("x;1", ro.Initial, 0, seconds(10), nil)
	stranger.Subscriptions[0].Data = "999"
	event := func(session string, action ro.RequestedAction) *ro.CCR {
		q := ccr(session, ro.Event, 0, nil, nil)
		q.RequestedAction = &action
		return q
	}
	bare := ccr("x;3", ro.Event, 0, nil, nil)

	for _, test := range []struct {
		name string
		q    *ro.CCR
		want diameter.Result
	}{
		{"RFC 8506 §9 no account: 5030", stranger, ro.UserUnknown},
		{"RFC 8506 §9 no such session: 5002", ccr("x;2", ro.Update, 1, seconds(1), nil), ro.UnknownSessionID},
		{"RFC 8506 §6.1 an event without Requested-Action: 5005", bare, ro.MissingAVP},
		{"RFC 8506 §6.3 direct debiting", event("x;4", ro.DirectDebiting), ro.Success},
		{"RFC 8506 §6.3 the same again", event("x;4", ro.DirectDebiting), ro.Success},
		{"RFC 8506 §6.2 balance check", event("x;5", ro.CheckBalance), ro.Success},
		{"RFC 8506 §6.1 price enquiry", event("x;6", ro.PriceEnquiry), ro.Success},
		{"RFC 8506 §6.3 a second message", event("x;7", ro.DirectDebiting), ro.Success},
		{"RFC 8506 §9 nothing left: 4012", event("x;8", ro.DirectDebiting), ro.CreditLimitReached},
		{"RFC 8506 §6.4 refund", event("x;9", ro.RefundAccount), ro.Success},
	} {
		t.Run(test.name, func(t *testing.T) {
			o.T = t
			if a := o.send(test.q); a.Result != test.want {
				t.Errorf("%v (%s), want %v", a.Result, a.ErrorMessage, test.want)
			}
		})
	}
	o.T = t
	if got := o.account(); got != (state{10, 0}) {
		t.Errorf("%+v, want 10: two messages of 10 paid from 20, one given back", got)
	}
}
