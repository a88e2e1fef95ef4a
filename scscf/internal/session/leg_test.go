package session

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/fsm/transcript"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// TestLegTranscripts: each row of the table of legs in a situation, through the program (TS 24.229 §5.4.3.2, §5.4.3.3).
func TestLegTranscripts(t *testing.T) {
	transcript.Test(t, "testdata/leg.txt", LegMachine,
		func(machine *fsm.Machine[LegState, LegEvent, LegAction], walk func(func(*transcript.Command) string)) {
			withDesk(t, func(d *desk) {
				d.directory = ""
				d.charge.Enabled = false
				d.plan.Breakout = map[string]string{"+49": "sip:gateway.example;lr"}
			}, func(_ *testing.T, d *desk) {
				d.server.legs = machine
				w := &way{desk: d, asked: map[*memory.Peer][]*sip.Request{}}
				walk(w.command)
				w.hangUp()
			})
		})
}

// TestNothingFindsALegWithoutRow: every state has a row for every event possible in it.
func TestNothingFindsALegWithoutRow(t *testing.T) {
	for state, can := range map[LegState][]LegEvent{
		Evaluating: {
			CriterionMatched, RequiredCriterionMatched, ServerUnusable, RequiredServerUnusable, NoCriterionOriginating, NoCriterionTerminating,
		},
		AtServer:         {RequestReturned, ServerDead, ServerFailed},
		AtRequiredServer: {RequestReturned, ServerDead, ServerFailed},
		AtLiveServer:     {RequestReturned, ServerDead, ServerFailed},
		GivenUp:          {RequestReturned},
		TowardsTarget:    {NobodyHere, NoBreakout},
		BrokenOut:        {NobodyHere},
		TowardsUE:        {FlowFailed},
	} {
		if gaps := transcript.Gaps(LegMachine, []LegState{state}, can); len(gaps) > 0 {
			t.Errorf("no row: %v", gaps)
		}
	}
}

// way is a request on its way, as in a transcript.
type way struct {
	*desk
	asked  map[*memory.Peer][]*sip.Request
	logged int
}

func (w *way) peers() ([]string, map[string]*memory.Peer) {
	return []string{"P-CSCF", "I-CSCF", "AS", "UE", "gateway"},
		map[string]*memory.Peer{"P-CSCF": w.pcscf, "I-CSCF": w.icscf, "AS": w.as, "UE": w.phone, "gateway": w.gateway}
}

// command runs one line of a transcript. The result is what the program did: the steps of legs, and the messages to the peers.
func (w *way) command(c *transcript.Command) string {
	switch c.Cmd {
	case "situation":
		return "nothing yet"
	case "originating":
		w.user(alice, registration.Registered, criteriaOf(c, ifc.Originating)...)
		w.send(w.pcscf, "INVITE", c.CmdArgs[0].Key, serviceRoute)
	case "terminating":
		w.user(bob, registration.Registered, criteriaOf(c, ifc.TerminatingRegistered)...)
		w.send(w.icscf, "INVITE", bob, "")
	case "return":
		w.back(c.HasArg("first"))
	case "wait":
		pause, _ := time.ParseDuration(c.CmdArgs[0].Key)
		time.Sleep(pause)
	default:
		w.answer(c)
	}

	synctest.Wait()

	return strings.Join(append(w.steps(), w.came()...), "\n")
}

// criteriaOf returns the criteria of a user: servers=(continued,terminated,unusable,required-unusable).
func criteriaOf(c *transcript.Command, session ifc.SessionCase) (all []ifc.InitialFilterCriterion) {
	for _, arg := range c.CmdArgs {
		if arg.Key != "servers" {
			continue
		}

		for i, kind := range arg.Vals {
			one := criterion(session)
			one.Priority = i
			one.ApplicationServer.ServerName = fmt.Sprintf("sip:as%d@192.0.2.40:5060", i+1)

			if strings.HasSuffix(kind, "unusable") {
				one.ApplicationServer.ServerName = "sip:as@[::"
			}
			if kind == "terminated" || kind == "required-unusable" {
				one.ApplicationServer.DefaultHandling = 1
			}

			all = append(all, one)
		}
	}

	return all
}

// back has the application server hand its last request back, or its first.
func (w *way) back(first bool) {
	asked := w.asked[w.as]
	if len(asked) == 0 {
		return
	}

	r := asked[len(asked)-1]
	if first {
		r = asked[0]
	}

	if routes, err := sip.Routes(r); err == nil && len(routes) == 2 {
		w.send(w.as, string(r.Method), r.Recipient.String(), "<"+routes[1].URI+">", "Call-ID: "+r.CallID().Value())
	}
}

// answer has a peer answer its last request.
func (w *way) answer(c *transcript.Command) {
	_, peers := w.peers()
	peer := peers[c.Cmd]

	if peer == nil || len(w.asked[peer]) == 0 {
		return
	}

	status, _ := strconv.Atoi(c.CmdArgs[0].Key)

	var lines []string
	if c.HasArg("unknown") {
		lines = append(lines, "Reason: Diameter;cause=5001")
	}

	r := w.asked[peer][len(w.asked[peer])-1]
	peer.Answer(r, status, lines...)
}

var legLine = regexp.MustCompile(`msg=leg .*state=(\w+) event=(\w+) next=(\w+) actions="?\[([^\]]*)\]`)

// steps returns the steps of legs since the last command.
func (w *way) steps() (all []string) {
	lines := strings.Split(w.log.String(), "\n")

	for _, line := range lines[w.logged:] {
		if m := legLine.FindStringSubmatch(line); m != nil {
			all = append(all, fmt.Sprintf("leg: %s, %s -> %s: %s", m[1], m[2], m[3], m[4]))
		}
	}

	w.logged = len(lines) - 1

	return all
}

// came returns the messages to the peers since the last command, without 100 and ACK.
func (w *way) came() (all []string) {
	order, peers := w.peers()

	for _, name := range order {
		for _, m := range peers[name].All() {
			switch m := m.(type) {
			case *sip.Request:
				if m.Method != "ACK" {
					w.asked[peers[name]] = append(w.asked[peers[name]], m)
					all = append(all, fmt.Sprintf("to the %s: %s %s", name, m.Method, m.Recipient.String()))
				}
			case *sip.Response:
				if m.StatusCode > 100 {
					all = append(all, strings.TrimSpace(fmt.Sprintf("to the %s: %d %s", name, m.StatusCode, sip.Value(m, "Reason"))))
				}
			}
		}
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	for _, contact := range w.failed {
		all = append(all, "the flow has failed: "+contact)
	}

	w.failed = nil

	return all
}

// hangUp answers the remaining requests, so that nothing waits.
func (w *way) hangUp() {
	order, peers := w.peers()
	for _, name := range order {
		for _, r := range slices.Backward(w.asked[peers[name]]) {
			peers[name].Answer(r, 487)
		}
	}
}
