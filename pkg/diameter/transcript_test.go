package diameter

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/datatype"

	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/fsm/transcript"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// TestPeerTranscript: each row of the peer's table is walked, and a change of any row shows in what the node does.
func TestPeerTranscript(t *testing.T) {
	transcript.Test(t, "testdata/peer.txt", peerMachine,
		func(machine *fsm.Machine[peerState, peerEvent, peerAction], walk func(func(*transcript.Command) string)) {
			(&desk{t: t, prepare: func(n *Node) { n.peerMachine = machine }}).play(walk)
		})
}

// TestWatchdogTranscript: each row of the watchdog's table is walked, and a change of any row shows in what the node does.
func TestWatchdogTranscript(t *testing.T) {
	transcript.Test(t, "testdata/watchdog.txt", watchdogMachine,
		func(machine *fsm.Machine[watchdogState, watchdogEvent, watchdogAction], walk func(func(*transcript.Command) string)) {
			(&desk{t: t, prepare: func(n *Node) { n.watchdogMachine = machine }}).play(walk)
		})
}

// desk runs the commands of a transcript with one peer of a node. I are the connections that the node opened, R the peer's.
type desk struct {
	t       *testing.T
	prepare func(*Node)
	node    *Node
	peer    *peer
	names   []string
	ends    map[string]*connection
	far     []net.Conn
	log     memory.Log
	logged  int

	mu   sync.Mutex
	said []string
}

func (d *desk) play(walk func(func(*transcript.Command) string)) {
	synctest.Test(d.t, func(t *testing.T) {
		d.ends = map[string]*connection{}
		walk(d.do)

		for _, conn := range d.far {
			conn.Close()
		}

		for _, c := range d.ends {
			c.close(errStopped)
			c.await()
		}
	})
}

func (d *desk) do(c *transcript.Command) string {
	p := d.peer

	var argument string
	if len(c.CmdArgs) > 0 {
		argument = c.CmdArgs[0].Key
	}

	switch on := d.ends[argument]; c.Cmd {
	case "situation":
		return d.begin(c)
	case "start":
		if p.start() {
			d.say("I1: is dialled")
		} else {
			d.say("it is not dialled")
		}
	case "conn-ack":
		d.meant(p.happen(eventConnAck, d.connect("I", 0)))
	case "conn-nack":
		d.meant(p.happen(eventConnNack, nil))
	case "cer":
		state := uint32(0)
		for _, arg := range c.CmdArgs {
			if arg.Key == "state-id" {
				_, _ = fmt.Sscan(arg.Vals[0], &state)
			}
		}

		d.meant(p.connected(d.connect("R", state)))
	case "cea":
		p.capable(on, nil)
	case "non-cea":
		p.capable(on, errors.New("refused"))
	case "disconnect":
		p.disconnected(on)
	case "dpr":
		on.dpr = d.message(disconnectPeer)
		p.happenOn(on, eventDPR)
	case "dpa":
		p.happenOn(on, eventDPA)
	case "timeout":
		p.happenOn(on, eventTimeout)
	case "dwa":
		p.heard(on, true)
	case "other":
		p.heard(on, false)
	case "tw": // it ends
		p.mu.Lock()
		tw := p.tw
		p.mu.Unlock()

		time.Sleep(tw)
	case "wait":
		period, err := time.ParseDuration(argument)
		if err != nil {
			return err.Error()
		}

		time.Sleep(period)
	case "stop":
		d.meant(p.happen(eventStop, nil))
	default:
		return "no such command"
	}

	return d.came()
}

// begin makes a node that has one peer, b.example.
func (d *desk) begin(c *transcript.Command) string {
	host := "a.example"

	for _, arg := range c.CmdArgs {
		if arg.Key == "greater" {
			host = "z.example"
		}
	}

	config := DefaultConfig(host, "example")
	config.Peers = []Peer{{Host: "b.example"}}

	node, err := New(config, nil, Options{Log: d.log.Logger()})
	if err != nil {
		return err.Error()
	}

	d.prepare(node)
	d.node, d.peer = node, node.newPeer("b.example", &node.config.Peers[0])

	return ""
}

func (d *desk) message(code uint32) *Message {
	return diam.NewMessage(code, diam.RequestFlag, 0, 1, 2, d.node.dictionary.parser)
}

// connect makes a connection and listens at its far end.
func (d *desk) connect(kind string, stateID uint32) *connection {
	near, far := net.Pipe()
	d.far = append(d.far, far)

	number := 1
	for _, name := range d.names {
		if strings.HasPrefix(name, kind) {
			number++
		}
	}

	name := fmt.Sprint(kind, number)
	d.names = append(d.names, name)

	c := d.node.newConnection(near, kind == "I")
	c.owner, c.peer.OriginHost, c.peer.OriginStateID, c.cer = d.peer, "b.example", stateID, d.message(capabilitiesExchange)
	d.ends[name] = c

	go func() {
		for {
			m, _, err := d.node.dictionary.Read(far, 1<<16)
			if err != nil {
				d.say(name + ": end")
				return
			}

			d.say(name + ": " + named(m))
		}
	}()

	return c
}

func (d *desk) say(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.said = append(d.said, line)
}

func (d *desk) meant(meant bool) {
	if !meant {
		d.say("it means nothing")
	}
}

func named(m *Message) string {
	name := map[uint32]string{capabilitiesExchange: "CE", deviceWatchdog: "DW", disconnectPeer: "DP"}[m.Header.CommandCode]
	if m.Header.CommandFlags&diam.RequestFlag != 0 {
		return name + "R"
	}

	for _, a := range m.AVP {
		if a.Code == 268 {
			return fmt.Sprintf("%sA %d", name, a.Data.(datatype.Unsigned32))
		}
	}

	return name + "A"
}

// came returns the messages to the peer since the last command, and the states.
func (d *desk) came() string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()

	p := d.peer
	p.mu.Lock()
	defer p.mu.Unlock()

	lines := d.said
	d.said = nil

	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(a[:2], b[:2]) }) // each connection has its own order

	log := strings.Split(d.log.String(), "\n")
	for _, line := range log[d.logged : len(log)-1] {
		for _, text := range []string{"requests go elsewhere", "back in service", "does not fit"} {
			if strings.Contains(line, text) {
				lines = append(lines, "logged: "+text)
			}
		}
	}

	d.logged = len(log) - 1

	for _, name := range d.names {
		if p.open.Load() == d.ends[name] {
			trust := map[int32]string{untrusted: "not trusted", doubted: "doubted", trusted: "trusted"}[d.ends[name].trust.Load()]
			lines = append(lines, "open: "+name+", "+trust)
		}
	}

	held := func(c *connection) string {
		for name, end := range d.ends {
			if end == c {
				return " " + name
			}
		}

		return ""
	}

	return strings.Join(append(lines,
		fmt.Sprintf("peer: %s%s%s", p.run.State(), held(p.initiator), held(p.responder)),
		fmt.Sprintf("watchdog: %s, NumDWA %d, pending %v", p.watchdog.run.State(), p.watchdog.numDWA, p.watchdog.pending)), "\n")
}
