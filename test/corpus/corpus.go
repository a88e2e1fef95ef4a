// Package corpus holds SIP messages as handsets shape them: the order of their header fields, their blanks, their optional
// parameters and their mistakes, written from what live traces of six models showed. The values are those of the lab's PLMN.
package corpus

import (
	"embed"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"testing"
)

//go:embed index.tsv */*/*.sip
var files embed.FS

// Message is one message of a handset.
type Message struct {
	Name      string // handset/scenario/NNN-METHOD or NNN-status-METHOD
	Handset   string
	Scenario  string
	Transport string         // UDP or TCP
	Source    netip.AddrPort // where the handset sends it from
	Protected bool           // it comes through a security association
	Raw       []byte
}

// Response reports whether the message is a response.
func (m *Message) Response() bool { return strings.HasPrefix(string(m.Raw), "SIP/2.0 ") }

// Load reads all messages, in the order of the index.
func Load(t testing.TB) []Message {
	t.Helper()

	index, err := files.ReadFile("index.tsv")
	if err != nil {
		t.Fatal(err)
	}

	var messages []Message

	for line := range strings.Lines(string(index)) {
		if strings.HasPrefix(line, "#") {
			continue
		}

		column := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(column) != 5 {
			t.Fatalf("index.tsv: %q has %d columns, not 5", line, len(column))
		}

		raw, err := files.ReadFile(column[0])
		if err != nil {
			t.Fatal(err)
		}

		address, err := netip.ParseAddr(column[2])
		if err != nil {
			t.Fatalf("index.tsv: %s: %v", column[0], err)
		}

		port, err := strconv.ParseUint(column[3], 10, 16)
		if err != nil {
			t.Fatalf("index.tsv: %s: %v", column[0], err)
		}

		scenario := path.Dir(column[0])
		messages = append(messages, Message{
			Name: strings.TrimSuffix(column[0], ".sip"), Handset: path.Dir(scenario), Scenario: path.Base(scenario),
			Transport: column[1], Source: netip.AddrPortFrom(address, uint16(port)),
			Protected: strings.HasPrefix(column[4], "protected"), Raw: raw,
		})
	}

	return messages
}
