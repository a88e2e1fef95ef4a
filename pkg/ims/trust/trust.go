// Package trust removes from messages what may not cross the edge of the trust domain (TS 24.229 §4.4). One table says who may send and
// who may see each header field, in requests, responses and ACK alike.
package trust

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ims/access"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Party is a side of a trust boundary, or a set of sides.
type Party uint8

// The parties.
const (
	Handset Party = 1 << iota
	Core          // the trust domain: CSCFs and their application servers
	Foreign       // whoever is outside of it and no handset of ours
)

// field is a row of the table. Header fields without a row cross freely.
type field struct {
	Name string
	Says Party // whose word it may be
	Sees Party // who may get it
	From string
}

// Fields are the rows. Core in Says means that the field may come from the core, whoever sent it first.
var Fields = []field{
	{"P-Asserted-Identity", Core, Handset | Core, "RFC 3325 §9.1, TS 24.229 §4.4.2; from a handset's eyes also by Privacy: id"},
	{"P-Preferred-Identity", Handset, 0, "RFC 3325 §9.2; the P-CSCF reads it"},
	{"P-Asserted-Service", Core, Core, "RFC 6050 §4.1, TS 24.229 §4.4.5"},
	{"P-Preferred-Service", Handset | Core, Core, "RFC 6050 §4.2; the S-CSCF reads it"},
	{"P-Access-Network-Info", Handset | Core, Core, "RFC 7315 §4.4, TS 24.229 §4.4.3; network-provided is not a handset's word"},
	{"Cellular-Network-Info", Handset | Core, Core, "TS 24.229 §4.4, §7.2"},
	{"P-Visited-Network-ID", Core, Core, "RFC 7315 §4.3"},
	{"P-Charging-Vector", Core, Core, "RFC 7315 §4.6"},
	{"P-Charging-Function-Addresses", Core, Core, "RFC 7315 §4.5"},
	{"P-Associated-URI", Core, Handset | Core, "RFC 7315 §4.1"},
	{"P-Called-Party-ID", Core, Handset | Core, "RFC 7315 §4.2"},
	{"P-Served-User", Core, Core, "RFC 5502 §4, TS 24.229 §4.4.9"},
	{"P-Profile-Key", Core, Core, "RFC 5002 §5, TS 24.229 §4.4.8"},
	{"P-User-Database", Core, Core, "RFC 4457 §4"},
	{"P-Private-Network-Indication", Core, Core, "RFC 7316 §5, TS 24.229 §4.4.10"},
	{"Service-Route", Core, Handset | Core, "RFC 3608 §5"},
	{"Path", Core, Handset | Core, "RFC 3327 §5; the P-CSCF is the first"},
	{"Security-Client", Handset, 0, "RFC 3329 §2.3.1; the P-CSCF reads it"},
	{"Security-Verify", Handset, 0, "RFC 3329 §2.3.1; the P-CSCF reads it"},
	{"Security-Server", 0, 0, "RFC 3329 §2.3.1; the P-CSCF's own"},
	{"Attestation-Info", Core, Core | Foreign, "TS 24.229 §4.4, §7.2"},
	{"Origination-Id", Core, Core | Foreign, "TS 24.229 §4.4, §7.2"},
	{"Restoration-Info", Core, Core, "TS 24.229 §4.4, §7.2"},
	{"Relayed-Charge", Core, Core, "TS 24.229 §4.4, §7.2"},
	{"Service-Interact-Info", Core, Core, "TS 24.229 §4.4, §7.2"},
	{"Response-Source", Core, Core, "TS 24.229 §4.4, §7.2"},
	{"Warning", Handset | Core | Foreign, Core, "RFC 3261 §20.43: its agent and its text are of hosts of the core"},
	{"Reason", Handset | Core | Foreign, Handset | Core | Foreign, "RFC 3326; from the core to others without its addresses"},
}

// Withheld returns the names of the header fields that may not cross from one party to another.
func Withheld(from, to Party) []string {
	var names []string

	for _, f := range Fields {
		if f.Says&from == 0 || f.Sees&to == 0 {
			names = append(names, f.Name)
		}
	}

	return names
}

// Cross removes from a message what may not cross from one party to another. A caller that needs such a header field reads it before.
func Cross(m sip.Message, from, to Party) {
	b := boundaries[from][to]
	sip.RemoveFunc(m, b.withholds)

	if from == Handset {
		ownWord(m)
	}

	if from == Core && to != Core {
		hideAddresses(m)
	}
}

// CrossCancel returns those Reason header fields of a CANCEL that may cross. Each hop makes a CANCEL of its own (RFC 3261 §16.10), which
// takes nothing else over.
func CrossCancel(why []sip.Header, from, to Party) []sip.Header {
	m := sip.EmptyRequest("CANCEL", sip.Uri{})
	for _, h := range why {
		m.AppendHeader(h)
	}

	Cross(m, from, to)

	return m.Headers()
}

// boundary holds the names of header fields that are withheld, by their length.
type boundary map[int][]string

func (b boundary) withholds(name string) bool {
	for _, withheld := range b[len(name)] {
		if strings.EqualFold(name, withheld) {
			return true
		}
	}

	return false
}

var boundaries = func() map[Party]map[Party]boundary {
	all := map[Party]map[Party]boundary{}

	for _, from := range []Party{Handset, Core, Foreign} {
		all[from] = map[Party]boundary{}

		for _, to := range []Party{Handset, Core, Foreign} {
			b := boundary{}
			for _, name := range Withheld(from, to) {
				b[len(name)] = append(b[len(name)], name)
			}

			all[from][to] = b
		}
	}

	return all
}()

// ownWord removes from P-Access-Network-Info what a handset may not claim: that the network provided it (RFC 7315 §4.4).
func ownWord(m sip.Message) {
	const name = "p-access-network-info"

	forged := false

	sip.EachField(m, name, func(value string) bool {
		forged = access.ByNetwork(value)
		return !forged
	})

	if !forged {
		return
	}

	kept := slices.DeleteFunc(sip.Values(m, name), access.ByNetwork)
	sip.Remove(m, name)

	for _, value := range kept {
		sip.Add(m, "P-Access-Network-Info", value)
	}
}

// String returns the party's name.
func (p Party) String() string {
	var names []string

	for _, one := range []struct {
		party Party
		name  string
	}{{Handset, "handset"}, {Core, "core"}, {Foreign, "others"}} {
		if p&one.party != 0 {
			names = append(names, one.name)
		}
	}

	if len(names) == 0 {
		return "nobody"
	}

	return strings.Join(names, ", ")
}

// Table prints the rows for the manual.
func Table() string {
	var b strings.Builder

	b.WriteString("| header field | may say it | may see it | specified in |\n| --- | --- | --- | --- |\n")

	for _, f := range Fields {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.Says, f.Sees, f.From)
	}

	return b.String()
}
