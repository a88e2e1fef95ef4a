package bearer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/fsm/transcript"
)

// TS 29.214 §4.4: situations that walk each row of the session's table, through the program.
func TestTranscripts(t *testing.T) {
	transcript.Test(t, "testdata/session.txt", Machine,
		func(machine *fsm.Machine[State, Signal, Action], walk func(func(*transcript.Command) string)) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{machine: machine, waiting: map[string]chan reply{}, disk: &disk{kept: map[string][]byte{}}}
				d.start()
				walk(d.command)
				d.bearers.Close()
				time.Sleep(time.Minute) // who waits for an answer has given up
			})
		})
}

// desk is a P-CSCF whose PCRF answers as the transcript says, and its effects.
type desk struct {
	machine *fsm.Machine[State, Signal, Action]
	bearers *Bearers
	leg     *CallLeg
	session *session // the last one
	disk    *disk
	ids     int

	mu      sync.Mutex
	lines   []string
	waiting map[string]chan reply // unanswered requests, by session
}

type reply struct {
	grant *Grant
	err   error
}

func (d *desk) say(format string, values ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.lines = append(d.lines, fmt.Sprintf(format, values...))
}

func (d *desk) start() {
	d.bearers = New(d, slog.New(logged{d}), prometheus.NewRegistry())
	d.bearers.machine = d.machine
	d.bearers.restore(d.disk, d.disk.read())
	d.leg = d.bearers.Leg(Leg{UE: netip.MustParseAddr("10.45.0.2"), Call: "call"}, func(l Loss) {
		d.say("lost: all %t, components %v: %s", l.All, l.Components, l.Why)
	})
}

func (d *desk) NewID() string {
	d.ids++
	return fmt.Sprintf("s%d", d.ids)
}

func (d *desk) Ask(ctx context.Context, q *Request) (*Grant, error) {
	kind := "AAR"
	if q.Update {
		kind = "AAR update"
	}

	var needs []string
	for _, c := range q.Components {
		needs = append(needs, string(c.Kind))
	}

	d.say("%s %s%s %s", kind, q.ID, to(q.Handle), strings.Join(needs, "+"))

	select {
	case <-ctx.Done():
		d.done(q.ID)
		return nil, ctx.Err()
	case r := <-d.await(q.ID):
		if r.grant != nil && r.grant.ID == "" {
			r.grant.ID = q.ID
		}

		return r.grant, r.err
	}
}

func (d *desk) End(ctx context.Context, h Handle) error {
	d.say("STR %s%s", h.ID, to(h))

	select {
	case <-ctx.Done():
		d.done(h.ID)
		return ctx.Err()
	case r := <-d.await(h.ID):
		return r.err
	}
}

func (d *desk) await(session string) <-chan reply {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.waiting[session] = make(chan reply, 1)

	return d.waiting[session]
}

func (d *desk) done(session string) {
	d.mu.Lock()
	defer d.mu.Unlock()

	delete(d.waiting, session)
}

// reply answers the pending request: that of the session named in the command, of the last one, or the only one.
func (d *desk) reply(c *transcript.Command) {
	d.mu.Lock()
	defer d.mu.Unlock()

	session, r := slices.Max(append(slices.Collect(maps.Keys(d.waiting)), "")), read(c)
	for _, arg := range c.CmdArgs {
		if arg.Key == "to" {
			session = arg.Vals[0]
		}
	}

	if waiting := d.waiting[session]; waiting != nil {
		delete(d.waiting, session)
		waiting <- r

		return
	}

	d.lines = append(d.lines, "nobody waits for an answer")
}

func to(h Handle) string {
	if h.Server == "" {
		return ""
	}

	return " to " + h.Server
}

// command does one line of a transcript, and returns the program's actions and the state after it.
func (d *desk) command(c *transcript.Command) string {
	if c.Cmd != "situation" {
		d.do(c)
		synctest.Wait()
	}

	d.mu.Lock()
	lines := d.lines
	d.lines = nil
	d.mu.Unlock()

	slices.Sort(lines)

	return strings.Join(append(lines, d.state()), "\n")
}

func (d *desk) state() string {
	if s := d.leg.current; s != nil {
		d.session = s
	}

	if d.session == nil {
		return "-> Idle"
	}

	d.session.mu.Lock()
	state, key := d.session.machine.State(), d.session.record.Key
	d.session.mu.Unlock()

	text, kept := "-> "+state.String(), d.disk.read()

	if r, found := kept[key]; (state != Ended || found) && r.State != state {
		text += ", on disk " + r.State.String()
	}

	for _, other := range slices.Sorted(maps.Keys(kept)) {
		if other != key {
			text += ", and " + other + " " + kept[other].State.String()
		}
	}

	return text
}

var described = map[string]media.Component{
	"audio": {Number: 1, Kind: media.Audio, Status: media.Enabled, Flows: make([]media.Flow, 2)},
	"held":  {Number: 1, Kind: media.Audio, Status: media.Disabled, Flows: make([]media.Flow, 2)},
	"video": {Number: 2, Kind: media.Video, Status: media.Enabled, Flows: make([]media.Flow, 2)},
	"none":  {Number: 1, Kind: media.Audio, Status: media.Removed},
}

func (d *desk) do(c *transcript.Command) {
	switch c.Cmd {
	case "need":
		var needs []media.Component
		for _, arg := range c.CmdArgs {
			needs = append(needs, described[arg.Key])
		}

		leg, name := d.leg, c.CmdArgs
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()

			err := leg.Need(ctx, needs)
			d.say("need %v: %v", name, err)
		}()
	case "reply":
		d.reply(c)
	case "over":
		d.leg.End()
	case "late": // the leg's word comes when the session is another one's, or gone
		d.session.happen(LegOver, input{})
	case "again": // needs for a session that the leg has left
		heard := d.session.need([]media.Component{described["audio"]})
		select {
		case err := <-heard:
			d.say("again: %v", err)
		default:
			d.say("again: asked")
		}
	case "asr":
		d.say("ASA %s", result(d.happen(Aborted, Loss{All: true, Why: "BEARER_RELEASED"})))
	case "rar":
		d.say("RAA %s", result(d.happen(BearerLost, Loss{Why: "INDICATION_OF_LOSS_OF_BEARER", Components: []uint32{1}})))
	case "wait":
		pause, _ := time.ParseDuration(c.CmdArgs[0].Key)
		time.Sleep(pause)
	case "restart":
		d.restart()
	case "resume":
		d.bearers.Resume()
	default:
		d.say("no such command: %s", c.Cmd)
	}
}

// happen is an order of the PCRF. The session is called directly: it may be over, and unknown by its name.
func (d *desk) happen(signal Signal, loss Loss) bool {
	return d.session.happen(signal, input{loss: loss})
}

func result(complied bool) string {
	if complied {
		return "2001"
	}

	return "5002"
}

// restart kills the process and starts another one from what is on the disk.
func (d *desk) restart() {
	d.bearers.Close()
	synctest.Wait()

	d.mu.Lock()
	d.lines = nil
	d.mu.Unlock()

	d.disk = &disk{kept: d.disk.copy()}
	d.session = nil
	d.start()

	for _, s := range d.bearers.open {
		d.session = s
	}
}

// read parses an answer of the PCRF: a grant, a refusal, or nothing.
func read(c *transcript.Command) (r reply) {
	r.grant = &Grant{Handle: Handle{Server: "pcrf1"}}

	for _, arg := range c.CmdArgs {
		value := ""
		if len(arg.Vals) > 0 {
			value = arg.Vals[0]
		}

		switch arg.Key {
		case "lost":
			r = reply{err: errors.New("no answer")}
		case "undelivered":
			r = reply{err: &Refusal{Code: 3002, Why: "no peer", Undone: true}}
		case "result":
			code, _ := strconv.Atoi(value)
			r = reply{err: &Refusal{Code: uint32(code), Why: "refused with " + value, Unknown: value == "5002"}}
		case "id":
			r.grant.ID = value
		case "server":
			r.grant.Server = value
		}
	}

	return r
}

// disk is a store in memory.
type disk struct {
	mu   sync.Mutex
	kept map[string][]byte
	off  bool
}

func (k *disk) Keep(key string, value record) error {
	text, err := json.Marshal(value)

	k.mu.Lock()
	defer k.mu.Unlock()

	if !k.off {
		k.kept[key] = text
	}

	return err
}

func (k *disk) Forget(key string) error {
	k.mu.Lock()
	defer k.mu.Unlock()

	if !k.off {
		delete(k.kept, key)
	}

	return nil
}

// Close is the end of the process: nothing is written any more.
func (k *disk) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()

	k.off = true

	return nil
}

func (k *disk) read() map[string]record {
	all := map[string]record{}

	for key, text := range k.copy() {
		var value record
		if err := json.Unmarshal(text, &value); err == nil {
			all[key] = value
		}
	}

	return all
}

func (k *disk) copy() map[string][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()

	return maps.Clone(k.kept)
}

// logged records the program's errors that are only logged.
type logged struct{ d *desk }

func (l logged) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (l logged) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l logged) WithGroup(string) slog.Handler                    { return l }

func (l logged) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "the end of a bearer session was never answered") {
		l.d.say("log: %s", r.Message)
	}

	return nil
}
