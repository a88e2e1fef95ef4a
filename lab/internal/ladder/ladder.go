// Package ladder merges the traces of all functions into one diagram: every message once, SIP, Diameter and HTTP in order of time.
package ladder

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/trace"
)

// Step is one message on its way from one node to another.
type Step struct {
	trace.Message
	From, To string
	Label    string // "INVITE", "200 OK", "CCR-I", "POST"
	Detail   string
	CallID   string
	Session  string // Session-Id of Diameter, or the path of an application session
}

// Nodes without a trace of their own.
const (
	PCRF = "PCRF"
	PCF  = "PCF"
	PSAP = "PSAP"
)

// traced reports whether a node has a trace of its own.
func traced(node string) bool {
	switch node {
	case "P-CSCF", "I-CSCF", "S-CSCF", "HSS", "OCS":
		return true
	default:
		return false
	}
}

// Nodes maps addresses to names of nodes.
type Nodes map[netip.Addr]string

// Collect reads the traces of the functions with these admin addresses. A message between two of them is in both traces; the sender's is
// used.
func Collect(ctx context.Context, admins []string, nodes Nodes) ([]Step, error) {
	var steps []Step

	for _, admin := range admins {
		var records []trace.Record
		if err := httpapi.Local(admin).Do(ctx, "GET", "/trace?limit=10000", nil, &records); err != nil {
			return nil, err
		}

		for _, record := range records {
			if step, ok := read(record.Message, nodes, nodes.at(admin)); ok {
				steps = append(steps, step)
			}
		}
	}

	slices.SortStableFunc(steps, func(a, b Step) int { return a.Time.Compare(b.Time) })
	sessions(steps)

	return steps, nil
}

// read returns a message of the trace of a node, which may send from an address of the machine that is not its own.
func read(m trace.Message, nodes Nodes, own string) (Step, bool) {
	local, remote := nodes.name(m.Local.Addr()), nodes.name(m.Remote.Addr())
	if local == "?" {
		local = own
	}

	if !m.Sent && traced(remote) { // the sender's trace has it
		return Step{}, false
	}

	s := Step{Message: m, From: remote, To: local}
	if m.Sent {
		s.From, s.To = local, remote
	}

	switch m.Protocol {
	case trace.Diameter:
		s.Label, s.Detail, s.Session = diameterLabel(m.Data)
		return s, s.Label != ""
	case trace.HTTP:
		said, ok := readHTTP(m.Data)
		s.Label, s.Detail = said.labelled()

		return s, ok
	}

	parsed, err := sip.ParseMessage(m.Data)
	if err != nil {
		return Step{}, false
	}

	s.CallID = parsed.CallID().Value()

	switch parsed := parsed.(type) {
	case *sip.Request:
		s.Label, s.Detail = string(parsed.Method), parsed.Recipient.String()
	case *sip.Response:
		s.Label, s.Detail = strconv.Itoa(parsed.StatusCode)+" "+parsed.Reason, "("+string(parsed.CSeq().MethodName)+")"
	}

	return s, true
}

// at returns the node with this admin address.
func (n Nodes) at(admin string) string {
	address, err := netip.ParseAddrPort(strings.TrimPrefix(admin, "http://"))
	if err != nil {
		return "?"
	}

	return n.name(address.Addr())
}

func (n Nodes) name(a netip.Addr) string {
	if name, found := n[a.Unmap()]; found {
		return name
	}

	return "?"
}

var commands = map[uint32][2]string{
	300: {"UAR", "UAA"},
	301: {"SAR", "SAA"},
	302: {"LIR", "LIA"},
	303: {"MAR", "MAA"},
	304: {"RTR", "RTA"},
	305: {"PPR", "PPA"},
	272: {"CCR", "CCA"},
	258: {"RAR", "RAA"},
	265: {"AAR", "AAA"},
	274: {"ASR", "ASA"},
	275: {"STR", "STA"},
}

// diameterLabel returns the label of a message of an application; "" for those of the connection itself. A CCR is told by its
// CC-Request-Type, an answer by its result.
func diameterLabel(b []byte) (label, detail, session string) {
	if len(b) < 20 {
		return "", "", ""
	}

	code := binary.BigEndian.Uint32(b[4:]) & 0xFFFFFF
	names, known := commands[code]

	if !known {
		return "", "", ""
	}

	label = names[1]
	if b[4]&0x80 != 0 {
		label = names[0]
	}

	for rest := b[20:]; len(rest) >= 8; {
		avp, length, header := binary.BigEndian.Uint32(rest), int(binary.BigEndian.Uint32(rest[4:])&0xFFFFFF), 8
		vendor := rest[4]&0x80 != 0

		if vendor {
			header = 12
		}

		if length < header || length > len(rest) {
			break
		}

		value := rest[header:length]

		switch {
		case avp == 263 && !vendor:
			session = string(value)
		case avp == 416 && !vendor && len(value) == 4:
			label += map[uint32]string{1: "-I", 2: "-U", 3: "-T", 4: "-E"}[binary.BigEndian.Uint32(value)]
		case avp == 268 && !vendor && len(value) == 4:
			detail = strconv.Itoa(int(binary.BigEndian.Uint32(value)))
		case avp == 297 && !vendor:
			for group := value; len(group) >= 12; group = group[12:] {
				if binary.BigEndian.Uint32(group) == 298 {
					detail = strconv.Itoa(int(binary.BigEndian.Uint32(group[8:]))) + " (experimental)"
				}
			}
		}

		rest = rest[min(len(rest), (length+3)&^3):]
	}

	return label, detail, session
}

// Print draws the steps between the columns.
func Print(w io.Writer, steps []Step, columns []string) {
	const width = 13

	at := map[string]int{}
	for i, column := range columns {
		at[column] = i * width
	}

	fmt.Fprint(w, "            ")

	for _, column := range columns {
		fmt.Fprintf(w, "%-*s", width, column)
	}

	fmt.Fprintln(w)

	for _, step := range steps {
		from, known := at[step.From]
		to, alsoKnown := at[step.To]

		if !known || !alsoKnown || from == to {
			continue
		}

		line := []rune(strings.Repeat(" ", (len(columns)-1)*width+1))
		for _, position := range at {
			line[position] = '│'
		}

		left, right := min(from, to), max(from, to)
		for i := left + 1; i < right; i++ {
			line[i] = '─'
		}

		if from < to {
			line[right-1] = '▶'
		} else {
			line[left+1] = '◀'
		}

		label := []rune(" " + step.Label + " ")
		if room := right - left - 3; len(label) > room { // the number alone is enough
			number, _, _ := strings.Cut(step.Label, " ")
			label = []rune(" " + number + " ")
			label = label[:min(len(label), max(0, room))]
		}

		copy(line[left+1+(right-left-len(label))/2:], label)
		fmt.Fprintf(w, "%s %s  %s\n", step.Time.Format("05.000"), "     "+string(line), step.Detail)
	}
}
