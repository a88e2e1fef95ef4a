package charging

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// fate is the outcome of one request at the OCS.
type fate struct {
	what  string
	delay time.Duration
	units uint32
}

// happening is an event of a call, after a pause.
type happening struct {
	pause time.Duration
	what  string
}

// life is the random course of a call.
type life struct {
	config     Config
	begin      fate
	fates      []fate // of the requests after the first; then all succeed
	happenings []happening
}

func lives() *rapid.Generator[life] {
	duration := func(most int) *rapid.Generator[time.Duration] {
		return rapid.Map(rapid.IntRange(0, most), func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond })
	}
	fates := func(of ...string) *rapid.Generator[fate] {
		return rapid.Custom(func(t *rapid.T) fate {
			return fate{
				what:  rapid.SampledFrom(of).Draw(t, "fate"),
				delay: rapid.OneOf(rapid.Just(time.Duration(0)), duration(12_000)).Draw(t, "delay"),
				units: uint32(rapid.IntRange(1, 40).Draw(t, "units")),
			}
		})
	}

	return rapid.Custom(func(t *rapid.T) life {
		handling := rapid.SampledFrom([]FailureHandling{Terminate, Continue, RetryAndTerminate}).Draw(t, "handling")
		begin := []string{"grants"}

		if handling == Continue {
			begin = append(begin, "request lost", "answer lost")
		}

		return life{
			config: Config{
				FailureHandling: handling, UpdateMargin: 5 * time.Second, Settle: 24 * time.Hour,
				Resume: rapid.SampledFrom([]time.Duration{0, 10 * time.Second}).Draw(t, "resume"),
			},
			begin: fates(begin...).Draw(t, "begin"),
			fates: rapid.SliceOfN(fates(
				"grants", "grants", "request lost", "answer lost", "undelivered", "refuses", "forgets", "no units", "final", "waives",
			), 0, 12).Draw(t, "fates"),
			happenings: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) happening {
				return happening{
					pause: duration(40_000).Draw(t, "pause"),
					what:  rapid.SampledFrom([]string{"answer", "answer", "RAR", "ASR", "kill", "BYE"}).Draw(t, "what"),
				}
			}), 1, 10).Draw(t, "happenings"),
		}
	})
}

// TestNoSecondIsLostOrReportedTwice: whatever the order of answers, time-outs, updates, BYE, RAR, ASR and kills of the process, each
// second talked is reported once, and none is lost, unless the OCS had no session for it, or waived its charge.
func TestNoSecondIsLostOrReportedTwice(t *testing.T) {
	if err := flag.Set("rapid.checks", "1000"); err != nil {
		t.Fatal(err)
	}

	rapid.Check(t, func(r *rapid.T) {
		l := lives().Draw(r, "life")

		var faults []string

		synctest.Test(t, func(*testing.T) { faults = l.live() })

		if len(faults) > 0 {
			r.Fatal(strings.Join(faults, "\n"))
		}
	})
}

// live runs a call, and returns the faults of its account.
func (l life) live() (faults []string) {
	p := &party{
		life:    l,
		account: &account{fates: slices.Insert(slices.Clone(l.fates), 0, l.begin), known: map[string]bool{}, said: map[string]*said{}},
	}
	p.disk = newDisk[kept]()
	p.run()

	s, refused := p.trigger.Begin(context.Background(), Call{Method: "INVITE"}, func(_ string, cause Cause) { p.hangUp(cause) })
	if refused != nil { // the answer came after requestTime
		time.Sleep(time.Hour)
		synctest.Wait()

		return p.account.faults
	}

	p.mu.Lock()
	p.session = s
	p.mu.Unlock()

	for _, h := range l.happenings {
		time.Sleep(h.pause)
		p.befall(h.what)
	}

	p.account.heal()
	p.hangUp(Normal)
	time.Sleep(4 * time.Hour)
	synctest.Wait()

	return p.faults()
}

// party is a call and its charging session.
type party struct {
	life
	account *account
	trigger *Trigger
	disk    *disk[kept]
	session *Session
	lost    float64 // seconds that no session covered, in earlier processes

	mu       sync.Mutex
	answered time.Time
	ended    time.Time
}

// run begins a process.
func (p *party) run() {
	number := p.account.process(1)
	c := p.config
	c.Enabled, c.ServiceContextID, c.Realm = true, ro.ServiceContextIMS, "r"
	p.trigger = New(c, Options{
		OCS: process{p.account, number}, NewSessionID: p.account.name, Log: slog.New(slog.DiscardHandler),
		Metrics: prometheus.NewRegistry(),
	})
	p.trigger.restore(p.disk, p.disk.read())
}

func (p *party) befall(what string) {
	p.mu.Lock()
	over, answered, session := !p.ended.IsZero(), !p.answered.IsZero(), p.session
	p.mu.Unlock()

	switch what {
	case "answer":
		if !over && !answered {
			p.mu.Lock()
			p.answered = time.Now()
			p.mu.Unlock()
			session.Answered(time.Now())
		}
	case "BYE":
		p.hangUp(Normal)
	case "RAR":
		session.obey(ReauthRequested, input{now: time.Now()})
	case "ASR":
		session.obey(AbortRequested, input{now: time.Now(), why: aborted})
	case "kill":
		p.kill()
	}
}

// hangUp ends the call, once. The process may be killed while it does.
func (p *party) hangUp(cause Cause) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.ended.IsZero() {
		p.ended = time.Now()
		session := p.session

		go session.End(cause)
	}
}

// kill ends the process and begins another one. A call that still rang does not come back.
func (p *party) kill() {
	p.trigger.Close()
	p.account.process(1)
	p.lost += testutil.ToFloat64(p.trigger.uncharged)
	p.disk = p.disk.copy()
	p.run()

	if len(p.trigger.restored) == 0 {
		return
	}

	p.mu.Lock()
	p.session = p.trigger.restored[0]
	if p.answered.IsZero() && p.ended.IsZero() {
		p.ended = time.Now()
	}
	over := !p.ended.IsZero()
	p.mu.Unlock()

	if !over || !p.answered.IsZero() {
		p.trigger.Restored(p.session.Key(), func(_ string, cause Cause) { p.hangUp(cause) })
	}

	if session := p.session; over && !p.answered.IsZero() {
		go session.End(Normal) // the BYE is repeated: its answer was lost with the process
	}

	trigger := p.trigger
	go trigger.Resume(context.Background(), func(context.Context) { time.Sleep(3 * time.Second) })
}

// faults compares the seconds talked with those reported to the OCS.
func (p *party) faults() []string {
	a := p.account
	a.mu.Lock()
	defer a.mu.Unlock()

	faults := a.faults
	if len(p.trigger.open) != 0 || len(p.disk.kept) != 0 {
		faults = append(faults, fmt.Sprintf("left: %d sessions, %d on disk", len(p.trigger.open), len(p.disk.kept)))
	}

	talked := 0.0
	if !p.answered.IsZero() {
		talked = math.Ceil(p.ended.Sub(p.answered).Seconds())
	}

	told := p.lost + testutil.ToFloat64(p.trigger.uncharged)
	for _, s := range a.said {
		if s.taken || s.session == a.last { // a report for a session that the OCS does not know counts, too
			told += float64(s.used)
		}
	}

	if unexpected := testutil.ToFloat64(p.trigger.unexpected); unexpected != 0 {
		faults = append(faults, fmt.Sprintf("%.0f events without a row", unexpected))
	}

	if told > talked || told < talked && !a.generous {
		faults = append(faults, fmt.Sprintf("talked %.0f s, told %.0f s (%.0f without session)\n%s", talked, told,
			p.lost+testutil.ToFloat64(p.trigger.uncharged), strings.Join(a.lines, "\n")))
	}

	return faults
}

// account is an OCS that counts each report once.
type account struct {
	mu       sync.Mutex
	fates    []fate
	number   int // of the current process
	names    int
	known    map[string]bool
	said     map[string]*said
	last     string // session of the last request
	generous bool   // it granted last units, or waived the charge: seconds may be free
	lines    []string
	faults   []string
}

// said is one report, however often it was sent.
type said struct {
	session  string
	used     uint32
	taken    bool
	answered bool
}

func (a *account) process(more int) int {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.number += more

	return a.number
}

func (a *account) name() string {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.names++

	return fmt.Sprintf("s%d", a.names)
}

func (a *account) heal() {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.fates = nil
}

// process connects one process to the account.
type process struct {
	*account
	mine int
}

func (p process) CreditControl(ctx context.Context, q *ro.CCR) (*ro.CCA, error) {
	if p.process(0) != p.mine {
		runtime.Goexit() // it was killed, and sends nothing any more
	}

	f := p.receive(q)
	time.Sleep(f.delay)

	answer, err := p.reply(q, f)

	p.mu.Lock()
	defer p.mu.Unlock()

	if p.number != p.mine {
		runtime.Goexit()
	}

	if ctx.Err() != nil {
		return nil, ctx.Err()
	}

	if s := p.said[key(q)]; s != nil && err == nil && s.taken && answer.Result.Code/1000 != 3 {
		s.answered = true
	}

	return answer, err
}

func key(q *ro.CCR) string { return fmt.Sprintf("%s#%d", q.SessionID, q.Number) }

// receive records a request as it leaves.
func (a *account) receive(q *ro.CCR) fate {
	a.mu.Lock()
	defer a.mu.Unlock()

	f := fate{what: "grants", units: 30}
	if len(a.fates) > 0 {
		f, a.fates = a.fates[0], a.fates[1:]
	}

	a.last = q.SessionID
	a.generous = a.generous || f.what == "final" || f.what == "waives"
	a.lines = append(a.lines, fmt.Sprintf("%s %s: %s after %s", told(q), time.Now().Format("05.000"), f.what, f.delay))

	for _, service := range q.MultipleServicesCreditControl {
		for _, used := range service.Used {
			s := a.said[key(q)]
			if s == nil {
				s = &said{session: q.SessionID, used: *used.Time}
				a.said[key(q)] = s
			}

			if s.used != *used.Time {
				a.faults = append(a.faults, fmt.Sprintf("%s says %d s, and said %d s before", key(q), *used.Time, s.used))
			}
		}
	}

	return f
}

// reply returns the OCS's answer to a request.
func (a *account) reply(q *ro.CCR, f fate) (*ro.CCA, error) {
	a.mu.Lock()
	defer a.mu.Unlock()

	answer := &ro.CCA{}
	answer.Result, answer.OriginHost = ro.Success, "ocs1"
	service := ro.MultipleServicesCreditControl{Granted: &ro.ServiceUnit{Time: &f.units}}

	switch f.what {
	case "request lost":
		return nil, errDead
	case "undelivered":
		answer.Result = diameter.Result{Code: 3002}
		return answer, nil
	case "forgets":
		a.forget()
	}

	if q.Type == ro.Initial {
		a.known[q.SessionID] = true
	}

	if !a.known[q.SessionID] {
		answer.Result = ro.UnknownSessionID
		return answer, nil
	}

	if s := a.said[key(q)]; s != nil {
		s.taken = true
	}

	switch f.what {
	case "answer lost":
		return nil, errDead
	case "refuses":
		answer.Result = ro.CreditLimitReached
		return answer, nil
	case "no units":
		service.Granted = nil
	case "final":
		service.FinalUnitIndication = &ro.FinalUnitIndication{}
	case "waives":
		code := ro.CreditControlNotApplicable.Code
		service = ro.MultipleServicesCreditControl{ResultCode: &code}
	}

	answer.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{service}

	return answer, nil
}

// forget loses all sessions, and with them the reports that were not answered.
func (a *account) forget() {
	clear(a.known)

	for _, s := range a.said {
		s.taken = s.taken && s.answered
	}
}
