package credit

import (
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// step is a request, its answer, and alice's money after it.
type step struct {
	q    *ro.CCR
	want string // as told
	then money
}

func (b *bench) play(t *testing.T, steps []step) {
	t.Helper()

	for i, s := range steps {
		a := b.send(t, s.q)
		if got := told(a); got != s.want {
			t.Errorf("step %d, %s: %s (%s), want %s", i+1, eventOf(s.q.Type), got, a.ErrorMessage, s.want)
		}
		if got := b.money(t, "15550001"); got != s.then {
			t.Errorf("step %d, %s: alice has %+v, want %+v", i+1, eventOf(s.q.Type), got, s.then)
		}
	}
}

func TestSessions(t *testing.T) {
	called := perSecond()
	called.Direction, called.Price = rating.Terminating, 0
	video := rating.Rate{RatingGroup: is(uint32(200)), Price: 3, Interval: 1}
	data := rating.Rate{RatingGroup: is(uint32(300)), VolumePrice: 2, VolumeInterval: 1024, VolumeIncrement: 1024}
	premium := rating.Rate{Prefix: "+1900", Price: 100, Interval: 60, Increment: 60, ConnectionFee: 50}

	plain := func(kind ro.RequestType, number uint32, wanted, used int64) *ro.CCR {
		q := ccr("s", kind, number)
		if wanted > 0 {
			q.RequestedServiceUnit = &ro.ServiceUnit{Time: is(uint32(wanted))}
		}
		if used >= 0 {
			q.UsedServiceUnits = []ro.ServiceUnit{{Time: is(uint32(used))}}
		}
		return q
	}
	to := func(q *ro.CCR, called string) *ro.CCR {
		q.ServiceInformation.IMS.CalledPartyAddress = called
		return q
	}
	octets := func(wanted, in, out uint64) ro.MultipleServicesCreditControl {
		m := ro.MultipleServicesCreditControl{RatingGroup: is(uint32(300))}
		if wanted > 0 {
			m.Requested = &ro.ServiceUnit{TotalOctets: &wanted}
		}
		if in+out > 0 {
			m.Used = []ro.ServiceUnit{{InputOctets: &in}, {OutputOctets: &out}}
		}
		return m
	}
	euros := func(wanted, used int64, exponent int32) ro.MultipleServicesCreditControl {
		amount := func(digits int64) *ro.Money {
			return &ro.Money{Value: ro.UnitValue{Digits: digits, Exponent: &exponent}, Currency: is(uint32(978))}
		}
		m := ro.MultipleServicesCreditControl{RatingGroup: is(uint32(77))} // which no tariff knows
		if wanted >= 0 {
			m.Requested = &ro.ServiceUnit{Money: amount(wanted)}
		}
		if used >= 0 {
			m.Used = []ro.ServiceUnit{{Money: amount(used)}}
		}
		return m
	}
	events := func(wanted, used uint64) ro.MultipleServicesCreditControl {
		m := ro.MultipleServicesCreditControl{RatingGroup: is(uint32(1))}
		if wanted > 0 {
			m.Requested = &ro.ServiceUnit{ServiceSpecificUnits: &wanted}
		}
		if used > 0 {
			m.Used = []ro.ServiceUnit{{ServiceSpecificUnits: &used}}
		}
		return m
	}

	for name, steps := range map[string][]step{
		"RFC 8506 §5: reserve, report, report the last": {
			{ccr("s", ro.Initial, 0, service(1, 600, -1)), "[2001,600]", money{400, 600}},
			{ccr("s", ro.Update, 1, service(1, 300, 500)), "[2001,300]", money{200, 300}},
			{ccr("s", ro.Terminate, 2, service(1, -1, 200)), "[2001]", money{300, 0}},
		},
		"the same with the units of the command": {
			{plain(ro.Initial, 0, 600, -1), "[2001,600]", money{400, 600}},
			{plain(ro.Update, 1, 300, 500), "[2001,300]", money{200, 300}},
			{plain(ro.Terminate, 2, 0, 200), "[2001]", money{300, 0}},
		},
		"an empty Requested-Service-Unit leaves the amount to the OCS": {
			{ccr("s", ro.Initial, 0, service(1, 0, -1)), "[2001,60]", money{940, 60}},
			{ccr("s", ro.Update, 1, service(1, 0, 50)), "[2001,60]", money{890, 60}},
		},
		"no more than max_quota": {
			{ccr("s", ro.Initial, 0, service(1, 100_000, -1)), "[2001,1000,\"final\"]", money{0, 1000}},
		},
		"RFC 8506 §5.6: the last units are said to be the last": {
			{ccr("s", ro.Initial, 0, service(1, 700, -1)), "[2001,700]", money{300, 700}},
			{ccr("s", ro.Update, 1, service(1, 700, 700)), "[2001,300,\"final\"]", money{0, 300}},
			{ccr("s", ro.Terminate, 2, service(1, -1, 300)), "[2001]", money{0, 0}},
		},
		"nothing is left for an Update: 4012, the use is paid, and the session waits for its Terminate": {
			{ccr("s", ro.Initial, 0, service(1, 1000, -1)), `[2001,1000,"final"]`, money{0, 1000}},
			{ccr("s", ro.Update, 1, service(1, 100, 1000)), "[4012]", money{0, 0}},
			{ccr("s", ro.Terminate, 2, service(1, -1, 0)), "[2001]", money{0, 0}},
		},
		"two calls share the money, and none is spent twice": {
			{ccr("s", ro.Initial, 0, service(1, 700, -1)), "[2001,700]", money{300, 700}},
			{ccr("s2", ro.Initial, 0, service(1, 700, -1)), "[2001,300,\"final\"]", money{0, 1000}},
			{ccr("s3", ro.Initial, 0, service(1, 1, -1)), "[4012]", money{0, 1000}},
			{ccr("s", ro.Terminate, 1, service(1, -1, 100)), "[2001]", money{600, 300}},
			{ccr("s2", ro.Terminate, 1, service(1, -1, 0)), "[2001]", money{900, 0}},
		},
		"two services, reported apart": {
			{ccr("s", ro.Initial, 0, service(1, 100, -1), service(200, 100, -1)), "[2001,100,100]", money{600, 400}},
			{ccr("s", ro.Update, 1, service(200, 50, 100)), "[2001,50]", money{450, 250}},
			{ccr("s", ro.Update, 2, service(1, -1, 30)), "[2001]", money{520, 150}},
			{ccr("s", ro.Terminate, 3, service(200, -1, 10)), "[2001]", money{640, 0}},
		},
		"a service that begins later": {
			{ccr("s", ro.Initial, 0, service(1, 100, -1)), "[2001,100]", money{900, 100}},
			{ccr("s", ro.Update, 1, service(200, 10, -1)), "[2001,10]", money{870, 130}},
			{ccr("s", ro.Terminate, 2, service(1, -1, 100), service(200, -1, 10)), "[2001]", money{870, 0}},
		},
		"one service without a price does not harm the other": {
			{
				to(ccr("s", ro.Initial, 0, service(1, 10, -1), octets(1, 0, 0), service(200, 10, -1)), "sip:bob@example.org"),
				"[2001,10,1,10]",
				money{958, 42},
			},
			{ccr("s", ro.Update, 1, events(1, 0), service(200, 10, 10)), "[2001,5031,10]", money{938, 32}},
		},
		"a service that nobody granted is paid for all the same": {
			{ccr("s", ro.Initial, 0, service(1, 100, -1)), "[2001,100]", money{900, 100}},
			{ccr("s", ro.Terminate, 1, service(1, -1, 0), service(200, -1, 10)), "[2001]", money{970, 0}},
		},
		"volume in kilobytes that have begun": {
			{ccr("s", ro.Initial, 0, octets(10*1024, 0, 0)), "[2001,10240]", money{980, 20}},
			{ccr("s", ro.Update, 1, octets(1024, 1000, 1000)), "[2001,1024]", money{994, 2}},
			{ccr("s", ro.Terminate, 2, octets(0, 40, 9)), "[2001]", money{994, 0}},
		},
		"RFC 8506 §6.2 (ECUR): an event is reserved, and paid when it was delivered": {
			{ccr("s", ro.Initial, 0, events(3, 0)), "[2001,3]", money{970, 30}},
			{ccr("s", ro.Terminate, 1, events(0, 2)), "[2001]", money{980, 0}},
		},
		"ECUR: it was not delivered": {
			{ccr("s", ro.Initial, 0, events(1, 0)), "[2001,1]", money{990, 10}},
			{ccr("s", ro.Terminate, 1), "[2001]", money{1000, 0}},
		},
		"a connection fee and started minutes by the longest prefix": {
			{to(ccr("s", ro.Initial, 0, service(1, 90, -1)), "tel:001900-555"), "[2001,90]", money{750, 250}},
			{ccr("s", ro.Terminate, 1, service(1, -1, 61)), "[2001]", money{750, 0}},
		},
		"not answered: nothing is paid, not even the fee": {
			{to(ccr("s", ro.Initial, 0, service(1, 90, -1)), "sip:+1900555@example.org;user=phone"), "[2001,90]", money{750, 250}},
			{ccr("s", ro.Terminate, 1), "[2001]", money{1000, 0}},
		},
		"more was used than granted: the account pays": {
			{ccr("s", ro.Initial, 0, service(1, 100, -1)), "[2001,100]", money{900, 100}},
			{ccr("s", ro.Terminate, 1, service(1, -1, 150)), "[2001]", money{850, 0}},
		},
		"more than there is (a clock gone wrong): down to zero": {
			{ccr("s", ro.Initial, 0, service(1, 100, -1)), "[2001,100]", money{900, 100}},
			{ccr("s", ro.Terminate, 1, service(1, -1, 71_582_788)), "[2001]", money{0, 0}},
		},
		"RFC 8506 §8.2: an old number is not served again": {
			{ccr("s", ro.Initial, 0, service(1, 100, -1)), "[2001,100]", money{900, 100}},
			{ccr("s", ro.Update, 2, service(1, 100, 100)), "[2001,100]", money{800, 100}},
			{ccr("s", ro.Update, 1, service(1, 100, 100)), "[5004]", money{800, 100}},
			{ccr("s", ro.Terminate, 2, service(1, -1, 100)), "[5004]", money{800, 100}},
			{ccr("s", ro.Terminate, 3, service(1, -1, 100)), "[2001]", money{800, 0}},
			{ccr("s", ro.Update, 4, service(1, -1, 100)), "[5002]", money{800, 0}},
		},
		"a Terminate before its Initial leaves nothing reserved": {
			{ccr("s", ro.Terminate, 1, service(1, -1, 0)), "[5002]", money{1000, 0}},
			{ccr("s", ro.Initial, 0, service(1, 100, -1)), "[5002]", money{1000, 0}},
		},
		"a second Initial of one session": {
			{ccr("s", ro.Initial, 0, service(1, 100, -1)), "[2001,100]", money{900, 100}},
			{ccr("s", ro.Initial, 7, service(1, 100, -1)), "[5004]", money{900, 100}},
		},
		"a session charged in seconds cannot go on in octets": {
			{ccr("s", ro.Initial, 0, service(300, 1, -1)), "[5031]", money{1000, 0}},
			{ccr("s", ro.Initial, 1, service(1, 100, -1)), "[2001,100]", money{900, 100}},
			{ccr("s", ro.Update, 2, ro.MultipleServicesCreditControl{
				RatingGroup: is(uint32(1)), Requested: &ro.ServiceUnit{TotalOctets: is(uint64(5))},
				Used: []ro.ServiceUnit{{Time: is(uint32(40))}},
			}), "[5031]", money{960, 0}},
		},
		"RFC 8506 §8.22: money that the network function has rated": {
			{ccr("s", ro.Initial, 0, euros(250, -1, -2)), `[2001,"250e-2"]`, money{750, 250}},
			{ccr("s", ro.Update, 1, euros(3, 1995, -3)), "[5004]", money{750, 250}}, // finer than a minor unit
			{ccr("s", ro.Update, 2, euros(3, 2, 0)), `[2001,"300e-2"]`, money{500, 300}},
			{ccr("s", ro.Update, 3, euros(0, 1, 0)), `[2001,"100e-2"]`, money{600, 100}}, // 0 leaves it to the OCS
			{ccr("s", ro.Terminate, 4, euros(-1, 10, -2)), "[2001]", money{690, 0}},
		},
		"money: as much as there is, and then no more": {
			{ccr("s", ro.Initial, 0, euros(12, -1, 0)), `[2001,"1000e-2","final"]`, money{0, 1000}},
			{ccr("s", ro.Update, 1, euros(1, 10, 0)), "[4012]", money{0, 0}},
			{ccr("s", ro.Terminate, 2, euros(-1, 3, 0)), "[2001]", money{0, 0}},
		},
		"money beside time": {
			{ccr("s", ro.Initial, 0, service(1, 100, -1), euros(1, -1, 0)), `[2001,100,"100e-2"]`, money{800, 200}},
			{ccr("s", ro.Terminate, 1, service(1, -1, 50), euros(-1, 99, -2)), "[2001]", money{851, 0}},
		},
		"money of another currency, or less than none": {
			{
				ccr("s", ro.Initial, 0, ro.MultipleServicesCreditControl{
					Requested: &ro.ServiceUnit{Money: &ro.Money{Value: ro.UnitValue{Digits: 1}, Currency: is(uint32(840))}},
				}),
				"[5004]",
				money{1000, 0},
			},
			{ccr("s", ro.Initial, 1, euros(1, -1, 0)), `[2001,"100e-2"]`, money{900, 100}},
			{
				ccr("s", ro.Update, 2, ro.MultipleServicesCreditControl{
					RatingGroup: is(uint32(77)),
					Used:        []ro.ServiceUnit{{Money: &ro.Money{Value: ro.UnitValue{Digits: -1}}}},
				}),
				"[5004]",
				money{900, 100},
			},
		},
		"the called side has a price of its own": {
			{func() *ro.CCR {
				q := ccr("s", ro.Initial, 0, service(1, 100, -1))
				q.ServiceInformation.IMS.RoleOfNode = is(ro.TerminatingRole)
				return q
			}(), "[2001,100]", money{1000, 0}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.account(t, "15550001", 1000)
			b.tariff(t, perSecond(), called, video, data, premium)
			b.play(t, steps)
		})
	}
}

func TestRefusals(t *testing.T) {
	b := newBench(t, func(c *Config) { c.ServiceContexts = []string{ro.ServiceContextIMS} })
	b.account(t, "15550001", 1000)
	b.account(t, "15550009", 1000)
	if err := b.store.Change(t.Context(), "15550009", ledger.Change{Blocked: is(true)}); err != nil {
		t.Fatal(err)
	}
	initial := func(session string, change func(*ro.CCR)) *ro.CCR {
		q := ccr(session, ro.Initial, 0, service(1, 10, -1))
		change(q)
		return q
	}

	if a := b.send(t, initial("t", func(*ro.CCR) {})); a.Result != ro.RatingFailed {
		t.Errorf("there is no tariff: %v, want 5031", a.Result)
	}
	b.tariff(t, rating.Rate{Prefix: "+1", Price: 1, Interval: 1})

	for name, test := range map[string]struct {
		q      *ro.CCR
		want   uint32
		failed func(*FailedAVP) bool
	}{
		"RFC 8506 §9.2 no account": {initial("a", func(q *ro.CCR) { q.Subscriptions[0].Data = "1" }), 5030, nil},
		"RFC 8506 §9.1 blocked":    {initial("b", func(q *ro.CCR) { q.Subscriptions[0].Data = "15550009" }), 4010, nil},
		"nobody pays": {initial("c", func(q *ro.CCR) { q.Subscriptions = nil }), 5005, func(f *FailedAVP) bool {
			return f.Subscription != nil
		}},
		"RFC 8506 §9.2 no price for the number": {
			initial("d", func(q *ro.CCR) { q.ServiceInformation.IMS.CalledPartyAddress = "tel:+49" }),
			5031,
			func(f *FailedAVP) bool {
				return f.CalledPartyAddress == "tel:+49"
			},
		},
		"no price for the unit": {initial("e", func(q *ro.CCR) {
			q.MultipleServicesCreditControl[0].Requested = &ro.ServiceUnit{TotalOctets: is(uint64(1))}
		}), 5031, func(f *FailedAVP) bool {
			return f.RequestedServiceUnit != nil && f.RequestedServiceUnit.TotalOctets != nil
		}},
		"another service context": {initial("f", func(q *ro.CCR) { q.ServiceContextID = "x" }), 5031, func(f *FailedAVP) bool {
			return f.ServiceContextID == "x"
		}},
		"the second identity pays": {initial("g", func(q *ro.CCR) {
			q.Subscriptions = []ro.SubscriptionID{{Type: ro.IMSI, Data: "001010000000001"}, {Type: ro.E164, Data: "+15550001"}}
		}), 2001, nil},
		"the identity stands in Service-Information": {initial("h", func(q *ro.CCR) {
			q.ServiceInformation.SubscriptionIDs, q.Subscriptions = q.Subscriptions, nil
		}), 2001, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := b.send(t, test.q)
			if a.Result.Code != test.want {
				t.Errorf("%v (%s), want %d", a.Result, a.ErrorMessage, test.want)
			}
			if test.failed != nil && (a.Failed == nil || !test.failed(a.Failed)) {
				t.Errorf("Failed-AVP %+v", a.Failed)
			}
		})
	}
}

// A session keeps the price list that it began with, even for services that join later; the next one has the new list.
func TestTariffChangesWhileACallLasts(t *testing.T) {
	b := newBench(t, nil)
	b.account(t, "15550001", 1000)
	b.tariff(t, perSecond())

	b.play(t, []step{{ccr("s", ro.Initial, 0, service(1, 100, -1)), "[2001,100]", money{900, 100}}})
	dearer := perSecond()
	dearer.Price = 2
	b.tariff(t, dearer)
	b.play(t, []step{
		{ccr("s", ro.Update, 1, service(1, 100, 100), service(2, 100, -1)), "[2001,100,100]", money{700, 200}},
		{ccr("t", ro.Initial, 0, service(1, 100, -1)), "[2001,100]", money{500, 400}},
		{ccr("s", ro.Terminate, 2, service(1, -1, 100), service(2, -1, 100)), "[2001]", money{500, 200}},
		{ccr("t", ro.Terminate, 1, service(1, -1, 100)), "[2001]", money{500, 0}},
	})

	records := b.cdrs(t)
	if len(records) != 2 || records[0].TariffVersion != 1 || records[1].TariffVersion != 2 || records[0].Amount != 300 ||
		records[1].Amount != 200 {
		t.Errorf("%+v", records)
	}
}

func TestOverdraft(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Overdraft = 50 })
	b.account(t, "15550001", 100)
	b.tariff(t, perSecond())
	b.play(t, []step{
		{ccr("s", ro.Initial, 0, service(1, 200, -1)), `[2001,100,"final"]`, money{0, 100}},
		{ccr("s", ro.Terminate, 1, service(1, -1, 170)), "[2001]", money{-50, 0}},
		{ccr("t", ro.Initial, 0, service(1, 1, -1)), "[4012]", money{-50, 0}},
	})
	if r := b.cdrs(t)[0]; r.Amount != 150 || r.Uncollected != 20 || r.Billed != 170 || r.Cause != noCredit {
		t.Errorf("%+v", r)
	}
}

func TestFinalUnitAction(t *testing.T) {
	for name, test := range map[string]struct {
		f    rating.FinalUnit
		want func(*ro.FinalUnitIndication) bool
	}{
		"terminate": {rating.FinalUnit{Action: "terminate"}, func(f *ro.FinalUnitIndication) bool { return f.Action == ro.FinalTerminate }},
		"redirect": {rating.FinalUnit{Action: "redirect", Redirect: "sip:top-up@example.org"}, func(f *ro.FinalUnitIndication) bool {
			return f.Action == ro.FinalRedirect && f.RedirectServer.AddressType == 3 && f.RedirectServer.Address == "sip:top-up@example.org"
		}},
		"restrict": {rating.FinalUnit{Action: "restrict", Filters: []string{"emergency"}}, func(f *ro.FinalUnitIndication) bool {
			return f.Action == ro.FinalRestrictAccess && len(f.FilterIDs) == 1
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.FinalUnit, c.Threshold = test.f, 5*time.Second })
			b.account(t, "15550001", 30)
			b.tariff(t, perSecond())
			first := b.send(t, ccr("s", ro.Initial, 0, service(1, 20, -1))).MultipleServicesCreditControl[0]
			if first.FinalUnitIndication != nil || first.TimeQuotaThreshold == nil || *first.TimeQuotaThreshold != 5 || *first.ValidityTime != 3600 {
				t.Errorf("the first quota: %+v", first)
			}
			last := b.send(t, ccr("s", ro.Update, 1, service(1, 20, 15))).MultipleServicesCreditControl[0]
			if last.FinalUnitIndication == nil || !test.want(last.FinalUnitIndication) || last.TimeQuotaThreshold != nil ||
				*last.Granted.Time != 15 {
				t.Errorf("the last quota: %+v %+v", last, last.FinalUnitIndication)
			}
		})
	}

	for _, f := range []rating.FinalUnit{
		{},
		{Action: "redirect"},
		{Action: "restrict"},
		{Action: "terminate", Redirect: "sip:x"},
		{Action: "stop"},
	} {
		c := DefaultConfig()
		c.FinalUnit = f
		if c.Validate() == nil {
			t.Errorf("%+v is accepted", f)
		}
	}
}

// RFC 8506 §7, Tcc: a silent session is closed, and its reservation is returned.
func TestSupervision(t *testing.T) {
	b := newBench(t, nil)
	b.account(t, "15550001", 1000)
	b.tariff(t, perSecond())
	b.send(t, ccr("s", ro.Initial, 0, service(1, 600, -1)))
	b.send(t, ccr("s", ro.Update, 1, service(1, 300, 500)))

	if err := b.closeExpired(t.Context(), time.Now().Add(b.config.Validity)); err != nil || len(b.sessions(t)) != 1 {
		t.Fatalf("too early: %v, %d sessions", err, len(b.sessions(t)))
	}
	if err := b.closeExpired(t.Context(), inAnHour(b)); err != nil || len(b.sessions(t)) != 0 {
		t.Fatalf("%v, %d sessions", err, len(b.sessions(t)))
	}
	b.sound(t)
	if got := b.money(t, "15550001"); got != (money{500, 0}) {
		t.Errorf("%+v, want 500 s paid and 300 back", got)
	}
	if r := b.cdrs(t)[0]; r.Cause != notHeard || r.Q850 != 102 || r.Amount != 500 || r.Returned != 400 || r.Reserved != 900 {
		t.Errorf("%+v", r)
	}

	b.play(t, []step{{ccr("s", ro.Terminate, 2, service(1, -1, 200)), "[5002]", money{500, 0}}})

	b.play(t, []step{ // without credit there is nothing to wait for
		{ccr("t", ro.Initial, 0, service(1, 600, -1)), `[2001,500,"final"]`, money{0, 500}},
		{ccr("t", ro.Update, 1, service(1, 600, 500)), "[4012]", money{0, 0}},
	})
	if err := b.closeExpired(t.Context(), time.Now().Add(b.config.Supervision+time.Second)); err != nil || len(b.sessions(t)) != 0 {
		t.Errorf("%v, %d sessions", err, len(b.sessions(t)))
	}
}

// After an outage of the OCS no session is closed before its network function has had the supervision time to report.
func TestSessionsGetTimeAfterAnOutage(t *testing.T) {
	b := newBench(t, nil)
	b.account(t, "15550001", 1000)
	b.tariff(t, perSecond())
	b.send(t, ccr("s", ro.Initial, 0, service(1, 60, -1)))

	now := inAnHour(b).Add(time.Hour) // the OCS starts again then
	watch := func(until time.Duration) {
		t.Helper()
		for end := now.Add(until); now.Before(end); now = now.Add(5 * time.Second) {
			if err := b.watch(t.Context(), now); err != nil {
				t.Fatal(err)
			}
		}
	}

	watch(b.config.Supervision - 10*time.Second)
	if len(b.sessions(t)) != 1 {
		t.Fatal("closed right after the start")
	}
	now = now.Add(time.Hour) // the database was away, or the machine slept
	watch(b.config.Supervision - 10*time.Second)
	if len(b.sessions(t)) != 1 {
		t.Fatal("closed right after the outage")
	}
	watch(30 * time.Second)
	if len(b.sessions(t)) != 0 || b.cdrs(t)[0].Cause != notHeard {
		t.Error("a session without a word stays for ever")
	}
}

func TestAnswersAreForgotten(t *testing.T) {
	b := newBench(t, nil)
	b.account(t, "15550001", 1000)
	b.tariff(t, perSecond())
	b.send(t, ccr("s", ro.Initial, 0, service(1, 600, -1)))

	b.kept(t, b.config.KeepReplies-time.Minute, 1)
	b.kept(t, b.config.KeepReplies+time.Minute, 0)
}

func (b *bench) kept(t *testing.T, after time.Duration, want int64) {
	t.Helper()

	var n int64
	if err := b.forget(t.Context(), time.Now().Add(after)); err != nil {
		t.Fatal(err)
	}
	if err := b.store.Read(t.Context()).Model(&reply{}).Count(&n).Error; err != nil || n != want {
		t.Errorf("%d answers kept after %v (%v), want %d", n, after, err, want)
	}
}
