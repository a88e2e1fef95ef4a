package charging

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/fsm/transcript"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestSessionTranscripts: each row of the session's table in a situation, through the program (RFC 8506 §7).
func TestSessionTranscripts(t *testing.T) {
	transcript.Test(t, "testdata/session.txt", Machine,
		func(machine *fsm.Machine[State, Signal, Action], walk func(func(*transcript.Command) string)) {
			play(t, func(d *desk) { d.machine = machine }, walk)
		})
}

// TestEventTranscripts is the same for requests that are charged by themselves.
func TestEventTranscripts(t *testing.T) {
	transcript.Test(t, "testdata/event.txt", EventMachine,
		func(machine *fsm.Machine[State, Signal, Action], walk func(func(*transcript.Command) string)) {
			play(t, func(d *desk) { d.events = machine }, walk)
		})
}

func play(t *testing.T, set func(*desk), walk func(func(*transcript.Command) string)) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{
			machine: Machine, events: EventMachine, replies: make(chan func(*ro.CCA) error), over: make(chan struct{}),
			disk: newDisk[kept](), eventDisk: newDisk[keptEvent](), config: Config{
				FailureHandling: Terminate, UpdateMargin: 10 * time.Second, Resume: 30 * time.Second, Settle: 2 * time.Minute, Events: Reserved,
			},
		}
		set(d)
		d.start()
		walk(d.command)
		close(d.over)
		d.trigger.Close()
		time.Sleep(4 * requestTime) // everybody who waits for an answer has given up
	})
}

// desk is a trigger with the transcript's OCS, and records what came of it.
type desk struct {
	machine, events *fsm.Machine[State, Signal, Action]

	config    Config
	trigger   *Trigger
	session   *Session
	event     *Event
	disk      *disk[kept]
	eventDisk *disk[keptEvent]
	replies   chan func(*ro.CCA) error
	over      chan struct{} // nobody answers any more
	ids       int

	mu    sync.Mutex
	lines []string
}

func (d *desk) say(format string, values ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.lines = append(d.lines, fmt.Sprintf(format, values...))
}

func (d *desk) start() {
	c := d.config
	c.Enabled, c.ServiceContextID, c.Realm = true, ro.ServiceContextIMS, "r"
	d.trigger = New(c, Options{
		OCS: d, NewSessionID: func() string { d.ids++; return fmt.Sprintf("s%d", d.ids) }, Log: slog.New(logged{d}),
		Metrics: prometheus.NewRegistry(),
	})
	d.trigger.machine, d.trigger.events = d.machine, d.events
	d.trigger.restore(d.disk, d.disk.read())
	d.trigger.restoreEvents(d.eventDisk, d.eventDisk.read())
}

// CreditControl records a request and waits for the transcript's answer.
func (d *desk) CreditControl(ctx context.Context, q *ro.CCR) (*ro.CCA, error) {
	d.say("%s", told(q))

	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-d.over:
		runtime.Goexit()
		return nil, nil
	case reply := <-d.replies:
		a := &ro.CCA{}
		a.Result, a.OriginHost = ro.Success, "ocs1"

		return a, reply(a)
	}
}

func told(q *ro.CCR) string {
	kind := map[ro.RequestType]string{ro.Initial: "CCR-I", ro.Update: "CCR-U", ro.Terminate: "CCR-T", ro.Event: "CCR-E"}[q.Type]
	line := fmt.Sprintf("%s %s#%d", kind, q.SessionID, q.Number)

	if q.Retransmitted {
		line += " again"
	}

	if q.RequestedAction != nil {
		line += fmt.Sprintf(" action %d", *q.RequestedAction)
	}
	if q.DestinationHost != "" {
		line += " to " + q.DestinationHost
	}
	for _, service := range q.MultipleServicesCreditControl {
		if r := service.Requested; r != nil && r.ServiceSpecificUnits != nil {
			line += fmt.Sprintf(" wants %d", *r.ServiceSpecificUnits)
		}
		for _, used := range service.Used {
			if used.Time != nil {
				line += fmt.Sprintf(" used %d s", *used.Time)
			} else {
				line += fmt.Sprintf(" used %d", *used.ServiceSpecificUnits)
			}
		}
	}
	if cause := q.ServiceInformation.IMS.CauseCode; cause != nil {
		line += fmt.Sprintf(" cause %d", *cause)
	}

	return line
}

// command runs one line of a transcript; the result is what the program did, and the state after it.
func (d *desk) command(c *transcript.Command) string {
	switch c.Cmd {
	case "situation":
		return d.state()
	case "config":
		d.configure(c)
		return d.state()
	}

	d.do(c)
	synctest.Wait()

	d.mu.Lock()
	defer d.mu.Unlock()

	lines := d.lines
	d.lines = nil

	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(first(a), first(b)) })

	return strings.Join(append(lines, d.state()), "\n")
}

// first puts the answer to an order before its effects, which run beside it.
func first(line string) string {
	if strings.HasPrefix(line, "RAA") || strings.HasPrefix(line, "ASA") {
		return "a"
	}

	return "b"
}

func (d *desk) configure(c *transcript.Command) {
	for _, arg := range c.CmdArgs {
		switch arg.Key {
		case "handling":
			d.config.FailureHandling = FailureHandling(arg.Vals[0])
		case "events":
			d.config.Events = arg.Vals[0]
		case "settle":
			d.config.Settle, _ = time.ParseDuration(arg.Vals[0])
		}
	}

	if d.session == nil {
		d.start()
	}
}

func (d *desk) state() string {
	var state State

	written := ""

	switch {
	case d.session != nil:
		d.session.mu.Lock()
		defer d.session.mu.Unlock()
		state = d.session.machine.State()

		for _, k := range d.disk.read() {
			written = k.State.String()
		}
	case d.event != nil:
		d.event.mu.Lock()
		defer d.event.mu.Unlock()
		state = d.event.machine.State()

		if k, found := d.eventDisk.read()[d.event.state.ID]; found {
			written = k.State.String()
		} else if state != Idle {
			written = "nothing"
		}
	}

	if written != "" && written != state.String() {
		return fmt.Sprintf("-> %s, on disk %s", state, written)
	}

	return "-> " + state.String()
}

func (d *desk) do(c *transcript.Command) {
	switch c.Cmd {
	case "begin":
		d.session = &Session{
			trigger: d.trigger, release: d.release, machine: d.machine.Start(Idle),
			state: credit{Key: "s1", ID: d.trigger.newID(), Call: Call{Method: "INVITE"}},
		}
		s := d.session
		go d.heard(func() *sip.Refusal {
			return s.talk(context.Background(), s.step(ServiceRequested, input{now: time.Now()}))
		})
	case "event":
		e := &Event{
			trigger: d.trigger, machine: d.events.Start(Idle), state: oneEvent{ID: d.trigger.newID(), Call: Call{Method: "MESSAGE"}},
		}
		d.event = e
		go d.heard(func() *sip.Refusal {
			return e.talk(context.Background(), e.step(e.trigger.asked(), input{now: time.Now()}))
		})
	case "outcome":
		status, _ := strconv.Atoi(c.CmdArgs[0].Key)
		go d.event.End(status, "")
	case "wait":
		pause, _ := time.ParseDuration(c.CmdArgs[0].Key)
		time.Sleep(pause)
	case "reply":
		select {
		case d.replies <- reply(c):
		default:
			d.say("nobody waits for an answer")
		}
	case "answered":
		d.session.Answered(time.Now())
	case "end":
		go d.session.End(Normal)
	case "rar", "asr":
		d.order(c.Cmd)
	case "restart":
		d.restart(c.HasArg("orphan"))
	case "resume":
		go d.trigger.Resume(context.Background(), func(context.Context) {})
	default:
		d.say("no such command: %s", c.Cmd)
	}
}

func (d *desk) heard(talk func() *sip.Refusal) {
	if refused := talk(); refused != nil {
		d.say("refused: %d %s", refused.Status, refused.Reasons[0])
	} else {
		d.say("goes on")
	}
}

func (d *desk) release(why string, cause Cause) {
	d.say("released: %s, cause %d %s", why, cause.Code, cause.Reason)
}

// order sends a RAR or ASR and prints the answer. It asks the session itself, which may be settled and no longer known by its name.
func (d *desk) order(name string) {
	signal, in := ReauthRequested, input{now: time.Now()}
	if name == "asr" {
		signal, in.why = AbortRequested, aborted
	}

	result := ro.UnknownSessionID
	if d.session.obey(signal, in) {
		result = ro.Success
	}

	d.say("%s: %d", map[string]string{"rar": "RAA", "asr": "ASA"}[name], result.Code)
}

// restart kills the process and begins another one from the disk.
func (d *desk) restart(orphan bool) {
	d.trigger.Close()
	close(d.over)
	d.over, d.replies = make(chan struct{}), make(chan func(*ro.CCA) error)
	synctest.Wait()

	d.mu.Lock()
	d.lines = nil
	d.mu.Unlock()

	d.disk, d.eventDisk = d.disk.copy(), d.eventDisk.copy()
	d.start()

	switch {
	case len(d.trigger.restored) > 0:
		d.session = d.trigger.restored[0]
		if !orphan {
			d.trigger.Restored("s1", d.release)
		}
	case len(d.trigger.restoredEvents) > 0:
		d.event = d.trigger.restoredEvents[0]
	case len(d.trigger.openEvents)+len(d.eventDisk.kept) > 0:
		d.say("an event is left")
	default:
		d.say("nothing was kept")

		if d.event != nil {
			d.event = &Event{trigger: d.trigger, machine: d.events.Start(Idle)}
		}
	}
}

// reply returns the OCS's answer: units, a result, a result of the service alone, or an error.
func reply(c *transcript.Command) func(*ro.CCA) error {
	return func(a *ro.CCA) error {
		service := ro.MultipleServicesCreditControl{}

		for _, arg := range c.CmdArgs {
			value := ""
			if len(arg.Vals) > 0 {
				value = arg.Vals[0]
			}
			parsed, _ := strconv.ParseUint(value, 10, 32)
			number := uint32(parsed)

			switch arg.Key {
			case "lost":
				return errDead
			case "undelivered":
				return fmt.Errorf("no peer: %w", diameter.ErrUnroutable)
			case "result":
				a.Result = diameter.Result{Code: number}
			case "service":
				service.ResultCode = &number
			case "granted":
				service.Granted = &ro.ServiceUnit{Time: &number}
			case "valid":
				service.ValidityTime = &number
			case "final":
				service.FinalUnitIndication = &ro.FinalUnitIndication{}
			case "handling":
				handling := ro.FailureContinue
				a.CreditControlFailureHandling = &handling
			case "from":
				a.OriginHost = value
			}
		}

		a.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{service}

		return nil
	}
}

// disk is a store in memory.
type disk[V any] struct {
	mu   sync.Mutex
	kept map[string][]byte
	off  bool
}

func newDisk[V any]() *disk[V] { return &disk[V]{kept: map[string][]byte{}} }

func (k *disk[V]) Keep(key string, value V) error {
	text, err := json.Marshal(value)

	k.mu.Lock()
	defer k.mu.Unlock()

	if !k.off {
		k.kept[key] = text
	}

	return err
}

func (k *disk[V]) Forget(key string) error {
	k.mu.Lock()
	defer k.mu.Unlock()

	if !k.off {
		delete(k.kept, key)
	}

	return nil
}

// Close is the end of the process: nothing is written any more.
func (k *disk[V]) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()

	k.off = true

	return nil
}

func (k *disk[V]) read() map[string]V {
	k.mu.Lock()
	defer k.mu.Unlock()

	all := map[string]V{}

	for key, text := range k.kept {
		var value V
		if err := json.Unmarshal(text, &value); err == nil {
			all[key] = value
		}
	}

	return all
}

// copy returns the disk as the next process finds it.
func (k *disk[V]) copy() *disk[V] {
	k.mu.Lock()
	defer k.mu.Unlock()

	return &disk[V]{kept: maps.Clone(k.kept)}
}

// logged records the warnings and errors of the program.
type logged struct{ d *desk }

func (l logged) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l logged) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l logged) WithGroup(string) slog.Handler                    { return l }

func (l logged) Handle(_ context.Context, r slog.Record) error {
	noise := []string{"the OCS does not answer", "charging sess", "event charged", "something happened to a"}
	if slices.ContainsFunc(noise, func(n string) bool { return strings.HasPrefix(r.Message, n) }) {
		return nil
	}

	l.d.say("log: %s", r.Message)

	return nil
}
