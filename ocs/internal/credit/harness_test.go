package credit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/test/scratch"
)

// failer is the common part of a test and a property.
type failer interface {
	Helper()
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// bench is a server with a ledger of its own.
type bench struct {
	*Server
	store   *ledger.Store
	wire    *diameter.Dictionary
	log     *bytes.Buffer
	metrics *prometheus.Registry
}

func newBench(t testing.TB, change func(*Config)) *bench {
	t.Helper()

	dsn := filepath.Join(scratch.Dir(t), "ledger.db")
	if err := os.WriteFile(dsn, empty(t), 0o600); err != nil {
		t.Fatal(err)
	}

	return benchOn(t, dsn, change)
}

var (
	made  sync.Mutex
	fresh []byte
)

// empty returns an empty ledger: its tables are made once, and copied for each test.
func empty(t testing.TB) []byte {
	t.Helper()
	made.Lock()
	defer made.Unlock()

	if fresh != nil {
		return fresh
	}

	dsn := filepath.Join(scratch.Dir(t), "ledger.db")

	store, err := ledger.Open(dsn)
	if err == nil {
		err = store.Close()
	}
	if err == nil {
		fresh, err = os.ReadFile(dsn)
	}
	if err != nil {
		t.Fatal(err)
	}

	return fresh
}

// wire returns the dictionary of the messages.
var wire = sync.OnceValues(func() (*diameter.Dictionary, error) { return diameter.NewDictionary(ro.Application) })

func benchOn(t testing.TB, dsn string, change func(*Config)) *bench {
	t.Helper()

	store, err := ledger.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })

	wire, err := wire()
	if err != nil {
		t.Fatal(err)
	}

	c := DefaultConfig()
	if change != nil {
		change(&c)
	}
	log, metrics := new(bytes.Buffer), prometheus.NewRegistry()
	server, err := New(c, Options{Store: store, Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}

	return &bench{Server: server, store: store, wire: wire, log: log, metrics: metrics}
}

// said returns the levels of the log lines with this text.
func (b *bench) said(text string) (levels []string) {
	for line := range strings.Lines(b.log.String()) {
		if strings.Contains(line, text) {
			_, rest, _ := strings.Cut(line, "level=")
			level, _, _ := strings.Cut(rest, " ")
			levels = append(levels, level)
		}
	}

	return levels
}

// counted returns the sum of a metric over its labels.
func (b *bench) counted(t failer, name string) (sum float64) {
	t.Helper()

	families, err := b.metrics.Gather()
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, family := range families {
		if family.GetName() == name {
			for _, m := range family.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}

	return sum
}

func (b *bench) account(t failer, name string, balance int64) {
	t.Helper()

	if err := b.store.Add(context.Background(), name, "", []string{"tel:+" + name}, balance); err != nil {
		t.Fatalf("%v", err)
	}
}

func (b *bench) tariff(t failer, rates ...rating.Rate) {
	t.Helper()

	tariff := rating.Tariff{Name: "standard", Rates: rates}
	if err := tariff.Validate(); err != nil {
		t.Fatalf("%v", err)
	}
	if err := Publish(context.Background(), b.store, &tariff); err != nil {
		t.Fatalf("%v", err)
	}
}

// send serves a request, and then serves it again, which must give the same octets and move nothing.
func (b *bench) send(t failer, q *ro.CCR) *Answer {
	t.Helper()

	a, err := b.CreditControl(context.Background(), q)
	if err != nil {
		t.Fatalf("%s %d: %v", eventOf(q.Type), q.Number, err)
	}
	before := b.movements(t)

	again, err := b.CreditControl(context.Background(), q)
	if err != nil {
		t.Fatalf("%s %d again: %v", eventOf(q.Type), q.Number, err)
	}
	if first, second := b.encoded(t, a), b.encoded(t, again); !bytes.Equal(first, second) {
		t.Fatalf("%s %d is answered differently the second time:\n%x\n%x", eventOf(q.Type), q.Number, first, second)
	}
	if after := b.movements(t); after != before {
		t.Fatalf("%s %d again made %d movements", eventOf(q.Type), q.Number, after-before)
	}
	b.sound(t)

	return a
}

func (b *bench) encoded(t failer, a *Answer) []byte {
	t.Helper()

	m, err := b.wire.Encode(a)
	if err != nil {
		t.Fatalf("%v", err)
	}
	octets, err := m.Serialize()
	if err != nil {
		t.Fatalf("%v", err)
	}

	return octets
}

func (b *bench) movements(t failer) (n int64) {
	t.Helper()

	if err := b.store.Read(context.Background()).Model(&ledger.Movement{}).Count(&n).Error; err != nil {
		t.Fatalf("%v", err)
	}

	return n
}

// audited checks that the ledger is sound, and every balance is the sum of its entries.
func (b *bench) audited(t failer) {
	t.Helper()

	audit, err := b.store.Audit(context.Background())
	if err != nil || len(audit.Findings) > 0 || audit.SumOfBalances != 0 || audit.SumOfEntries != 0 {
		t.Fatalf("audit: %+v %v", audit, err)
	}
	b.sound(t)
}

// sound checks that the sums are zero, nobody is in debt, and the reservations are those of the sessions.
func (b *bench) sound(t failer) {
	t.Helper()

	balances, entries, err := b.store.Sum(context.Background())
	if err != nil || balances != 0 || entries != 0 {
		t.Fatalf("balances add up to %d, entries to %d: %v", balances, entries, err)
	}

	reserved := map[string]int64{}
	for _, s := range b.sessions(t) {
		reserved[s.Account] += s.Reserved
	}
	for _, a := range b.accounts(t) {
		switch {
		case a.Kind == ledger.Subscriber && a.Balance < -b.config.Overdraft:
			t.Fatalf("%s has %d", a.Name, a.Balance)
		case a.Kind == ledger.Reserved && a.Balance != reserved[a.Name]:
			t.Fatalf("%d are reserved of %s, its sessions say %d", a.Balance, a.Name, reserved[a.Name])
		}
	}
}

func (b *bench) sessions(t failer) (all []Session) {
	t.Helper()

	if err := b.store.Read(context.Background()).Find(&all).Error; err != nil {
		t.Fatalf("%v", err)
	}

	return all
}

func (b *bench) accounts(t failer) (all []ledger.Account) {
	t.Helper()

	if err := b.store.Read(context.Background()).Find(&all).Error; err != nil {
		t.Fatalf("%v", err)
	}

	return all
}

func (b *bench) cdrs(t failer) (all []CDR) {
	t.Helper()

	if err := b.store.Read(context.Background()).Order("id").Find(&all).Error; err != nil {
		t.Fatalf("%v", err)
	}

	return all
}

// money is the balance of the account and the amount reserved of it.
type money struct{ Balance, Reserved int64 }

func (b *bench) money(t failer, name string) (m money) {
	t.Helper()

	for _, a := range b.accounts(t) {
		switch {
		case a.Name == name && a.Kind == ledger.Subscriber:
			m.Balance = a.Balance
		case a.Name == name && a.Kind == ledger.Reserved:
			m.Reserved = a.Balance
		}
	}

	return m
}

func is[T any](n T) *T { return &n }

// cost returns what so many units cost under one rate.
func cost(r rating.Rate, unit rating.Unit, units uint64) int64 {
	plan, err := rating.Compile(&rating.Tariff{Rates: []rating.Rate{r}})
	if err != nil {
		panic(err)
	}

	meter := plan.Meter(rating.Service{}, unit)

	return meter.Cost(meter.Add(nil, time.Time{}, units))
}

func perSecond() rating.Rate { return rating.Rate{Price: 1, Interval: 1, EventPrice: is(int64(10))} }

// ccr returns a request of alice (15550001) to 15550002.
func ccr(session string, kind ro.RequestType, number uint32, services ...ro.MultipleServicesCreditControl) *ro.CCR {
	q := &ro.CCR{
		ServiceContextID: ro.ServiceContextIMS, Type: kind, Number: number,
		Subscriptions:                 []ro.SubscriptionID{{Type: ro.E164, Data: "15550001"}},
		MultipleServicesCreditControl: services,
		ServiceInformation: &ro.ServiceInformation{IMS: &ro.IMSInformation{
			EventType: &ro.EventType{SIPMethod: "INVITE"}, NodeFunctionality: ro.NodeSCSCF, CalledPartyAddress: "tel:+15550002",
			CallingPartyAddresses: []string{"tel:+15550001"}, IMSChargingIdentifier: "icid-1", UserSessionID: "call-1",
		}},
	}
	q.SessionID = session

	return q
}

// service returns one Multiple-Services-Credit-Control; negative means absent.
func service(group uint32, wanted, used int64) ro.MultipleServicesCreditControl {
	m := ro.MultipleServicesCreditControl{RatingGroup: &group}
	if wanted >= 0 {
		m.Requested = &ro.ServiceUnit{}
		if wanted > 0 {
			m.Requested.Time = is(uint32(wanted))
		}
	}
	if used >= 0 {
		m.Used = []ro.ServiceUnit{{Time: is(uint32(used))}}
	}

	return m
}

// told returns an answer in brief: results, and what is granted.
func told(a *Answer) string {
	var parts []any
	parts = append(parts, a.Result.Code)
	unit := func(u *ro.ServiceUnit, final *ro.FinalUnitIndication) {
		switch {
		case u == nil && final != nil:
		case u == nil:
			return
		case u.Time != nil:
			parts = append(parts, *u.Time)
		case u.TotalOctets != nil:
			parts = append(parts, *u.TotalOctets)
		case u.Money != nil:
			parts = append(parts, fmt.Sprintf("%de%d", u.Money.Value.Digits, *u.Money.Value.Exponent))
		case u.ServiceSpecificUnits != nil:
			parts = append(parts, *u.ServiceSpecificUnits)
		}
		if final != nil {
			parts = append(parts, "final")
		}
	}
	unit(a.GrantedServiceUnit, a.FinalUnitIndication)
	for _, m := range a.MultipleServicesCreditControl {
		if *m.ResultCode != a.Result.Code {
			parts = append(parts, *m.ResultCode)
		}
		unit(m.Granted, m.FinalUnitIndication)
	}
	text, _ := json.Marshal(parts)

	return string(text)
}

func inAnHour(b *bench) time.Time {
	return time.Now().Add(b.config.Validity + b.config.Supervision + time.Second)
}
