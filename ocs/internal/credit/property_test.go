package credit

import (
	"bytes"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// life is a network function that does anything: several sessions on two accounts, with any numbers, in any order, each request
// twice, and now and then silence.
type life struct {
	*bench
	rate    rating.Rate
	account map[string]string // of a session that has begun
	used    map[string]uint64 // reported and accepted
	number  map[string]uint32
	next    int
	sent    []*ro.CCR
	answers map[*ro.CCR]string
}

// fewChecks reduces the checks, unless more are requested: each is on disk, step by step.
func fewChecks(t *testing.T) {
	t.Helper()

	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("25"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnyOrderOfRequests(t *testing.T) {
	fewChecks(t)

	rapid.Check(t, func(r *rapid.T) {
		b := newBench(t, nil)
		defer b.store.Close()

		accounts := []string{"1", "2"}
		for _, name := range accounts {
			b.account(r, name, rapid.Int64Range(0, 3000).Draw(r, "balance"))
		}
		rate := rating.Rate{
			Price: rapid.Int64Range(0, 200).Draw(r, "price"), Interval: rapid.Int64Range(1, 90).Draw(r, "interval"),
			Increment: rapid.Int64Range(1, 90).Draw(r, "increment"), Initial: rapid.Int64Range(0, 60).Draw(r, "first"),
			ConnectionFee: rapid.Int64Range(0, 90).Draw(r, "fee"), FreeSeconds: rapid.Int64Range(0, 60).Draw(r, "free"),
		}
		b.tariff(r, rate)
		l := &life{
			bench:   b,
			rate:    rate,
			account: map[string]string{},
			used:    map[string]uint64{},
			number:  map[string]uint32{},
			answers: map[*ro.CCR]string{},
		}
		before := b.total(r, accounts)
		seconds := rapid.Int64Range(0, 400)

		r.Repeat(map[string]func(*rapid.T){
			"initial": func(r *rapid.T) {
				id := fmt.Sprint("s;", l.next)
				l.next++
				q := ccr(id, ro.Initial, 0, service(1, seconds.Draw(r, "wanted"), -1))
				q.Subscriptions[0].Data = rapid.SampledFrom(accounts).Draw(r, "account")
				if l.do(r, q).Result == ro.Success {
					l.account[id], l.number[id] = q.Subscriptions[0].Data, 0
				}
			},
			"update": func(r *rapid.T) { l.report(r, ro.Update, seconds.Draw(r, "wanted"), seconds.Draw(r, "used")) },
			"terminate": func(r *rapid.T) {
				l.report(r, ro.Terminate, -1, seconds.Draw(r, "used"))
			},
			"an old one": func(r *rapid.T) {
				if len(l.sent) > 0 {
					q := rapid.SampledFrom(l.sent).Draw(r, "request")
					if again := told(b.send(r, q)); again != l.answers[q] {
						r.Fatalf("%s %d: %s, before %s", eventOf(q.Type), q.Number, again, l.answers[q])
					}
				}
			},
			"silence": func(r *rapid.T) {
				if rapid.IntRange(0, 5).Draw(r, "long") == 0 {
					if err := b.closeExpired(t.Context(), inAnHour(b)); err != nil {
						r.Fatalf("%v", err)
					}
					l.account = map[string]string{}
				}
			},
			"": func(r *rapid.T) {
				if after := b.total(r, accounts); after > before {
					r.Fatalf("the subscribers had %d together, and have %d", before, after)
				}
			},
		})

		if err := b.closeExpired(t.Context(), inAnHour(b)); err != nil { // the end of all sessions
			r.Fatalf("%v", err)
		}
		b.audited(r)

		var paid int64
		for _, record := range b.cdrs(r) {
			if _, ours := l.number[record.Session]; !ours {
				continue
			}
			paid += record.Amount
			if want := cost(rate, rating.Seconds, record.Billed); record.Amount+record.Uncollected != want ||
				record.Billed != l.used[record.Session] {
				r.Fatalf(
					"%d s reported, %d billed: %d paid and %d not, want %d together",
					l.used[record.Session],
					record.Billed,
					record.Amount,
					record.Uncollected,
					want,
				)
			}
			if again, priced := record.Rerated(b.standard(r)); !priced || again != record.Amount+record.Uncollected {
				r.Fatalf("rated again from its CDR it costs %d, not %d", again, record.Amount+record.Uncollected)
			}
			delete(l.number, record.Session)
		}
		if len(l.number) > 0 {
			r.Fatalf("sessions without a record: %v", l.number)
		}
		if after := b.total(r, accounts); before-after != paid {
			r.Fatalf("%d are gone, the records say %d", before-after, paid)
		}
	})
}

func (b *bench) total(t failer, names []string) (sum int64) {
	t.Helper()

	for _, name := range names {
		m := b.money(t, name)
		sum += m.Balance + m.Reserved
	}

	return sum
}

func (l *life) do(r *rapid.T, q *ro.CCR) *Answer {
	a := l.send(r, q)
	l.sent, l.answers[q] = append(l.sent, q), told(a)

	return a
}

func (l *life) report(r *rapid.T, kind ro.RequestType, wanted, used int64) {
	var open []string
	for id := range l.account {
		open = append(open, id)
	}
	slices.Sort(open)
	if len(open) == 0 {
		return
	}
	id := rapid.SampledFrom(open).Draw(r, "session")
	number := l.number[id] + rapid.Uint32Range(1, 3).Draw(r, "step")
	a := l.do(r, ccr(id, kind, number, service(1, wanted, used)))

	if a.Result == ro.Success || a.Result == ro.CreditLimitReached {
		l.used[id] += uint64(used)
		l.number[id] = number
	}
	if kind == ro.Terminate {
		if a.Result != ro.Success {
			r.Fatalf("Terminate: %v", a.Result)
		}
		delete(l.account, id)
	}
}

// Concurrent calls get no more than there is.
func TestConcurrentCallsOnOneAccount(t *testing.T) {
	b := newBench(t, nil)
	b.account(t, "15550001", 100)
	b.tariff(t, perSecond())

	var (
		calls   sync.WaitGroup
		mu      sync.Mutex
		granted uint32
		refused int
	)
	for i := range 20 {
		calls.Go(func() {
			a, err := b.CreditControl(t.Context(), ccr(fmt.Sprint("s", i), ro.Initial, 0, service(1, 7, -1)))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if a.Result == ro.CreditLimitReached {
				refused++
			} else {
				granted += *a.MultipleServicesCreditControl[0].Granted.Time
			}
		})
	}
	calls.Wait()

	if granted != 100 || refused != 5 {
		t.Errorf("%d s granted of 100, %d calls refused", granted, refused)
	}
	b.audited(t)
}

func euro(n int64) *ro.ServiceUnit {
	return &ro.ServiceUnit{Money: &ro.Money{Value: ro.UnitValue{Digits: n, Exponent: is(int32(0))}, Currency: is(uint32(978))}}
}

// FuzzCreditControl: whatever a request contains, the ledger adds up, and the same request again gets the same answer.
func FuzzCreditControl(f *testing.F) {
	b := newBench(f, nil)
	b.account(f, "15550001", 1_000_000)
	b.tariff(f, perSecond(), rating.Rate{RatingGroup: is(uint32(300)), VolumePrice: 2, VolumeInterval: 1024})

	for i, q := range []*ro.CCR{
		ccr("s", ro.Initial, 0, service(1, 10, -1), service(2, 0, -1)),
		ccr("s", ro.Update, 1, service(1, 10, 10)),
		ccr("s", ro.Terminate, 2, service(1, -1, 5)),
		func() *ro.CCR { q := ccr("e", ro.Event, 0); q.RequestedAction = is(ro.DirectDebiting); return q }(),
		func() *ro.CCR {
			q := ccr("e", ro.Event, 1)
			q.RequestedAction = is(ro.RefundAccount)
			q.RequestedServiceUnit = &ro.ServiceUnit{Money: &ro.Money{Value: ro.UnitValue{Digits: 1, Exponent: is(int32(-2))}}}
			return q
		}(),
		ccr("m", ro.Initial, 0, ro.MultipleServicesCreditControl{Requested: euro(1)}),
		ccr("m", ro.Update, 1, ro.MultipleServicesCreditControl{Requested: euro(1), Used: []ro.ServiceUnit{*euro(1)}}),
	} {
		q.OriginHost, q.OriginRealm, q.DestinationRealm = "s", "r", "r"
		m, err := b.wire.Encode(q)
		if err != nil {
			f.Fatal(err)
		}
		octets, err := m.Serialize()
		if err != nil {
			f.Fatal(err, i)
		}
		f.Add(octets)
	}

	f.Fuzz(func(t *testing.T, octets []byte) {
		m, _, err := b.wire.Read(bytes.NewReader(octets), 1<<16)
		if err != nil {
			return
		}
		q := new(ro.CCR)
		if m.Header.CommandCode != 272 || m.Header.ApplicationID != 4 || b.wire.Decode(m, q) != nil {
			return
		}
		b.send(t, q)
		b.log.Reset()
	})
}
