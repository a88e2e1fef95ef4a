// Package media says what a session needs of the access network: a function from an offer, its answer and the UE's side of them to
// media components and their IP flows (TS 29.213 §6.2, TS 29.214 §4.4.1, TS 29.514 §4.2.2.2). Who is asked for them, and when, is not
// its business.
//
// Session descriptions are read here and not by a library: github.com/pion/sdp v3 refuses a whole description for an m-line of a kind
// that it does not know, fax among them, and for lines out of order, and a call whose description is refused would have no bearer.
package media

import (
	"net/netip"
	"slices"
)

// Kind is what a component carries: the media of its m-line in capitals, as TS 29.214 §5.3.19 and TS 29.514 §5.6.3.3 name them.
type Kind string

// Kinds that the specifications name. What else an m-line says, fax for one, is Other.
const (
	Audio       Kind = "AUDIO"
	Video       Kind = "VIDEO"
	Data        Kind = "DATA"
	Application Kind = "APPLICATION"
	Control     Kind = "CONTROL"
	Text        Kind = "TEXT"
	Message     Kind = "MESSAGE"
	Other       Kind = "OTHER"
)

// Kinds lists them all.
var Kinds = []Kind{Audio, Video, Data, Application, Control, Text, Message, Other}

// Status says which way the packets of a component may pass (TS 29.214 §5.3.11).
type Status string

// Values of Status.
const (
	EnabledUplink   Status = "ENABLED-UPLINK"
	EnabledDownlink Status = "ENABLED-DOWNLINK"
	Enabled         Status = "ENABLED"
	Disabled        Status = "DISABLED"
	Removed         Status = "REMOVED" // a rejected or dropped m-line; it has no flows
)

// Component is what one m-line needs.
type Component struct {
	Number   uint32 // ordinal of the m-line, from 1, whatever the others are
	Kind     Kind
	Status   Status
	Uplink   *uint32 // bit/s, of RTP with the headers below it; nil: nothing says how much
	Downlink *uint32
	RS, RR   *uint32 // bit/s for RTCP of senders and receivers (RFC 3556); nil: not said
	Flows    []Flow
	Codecs   []Codec
}

// Flow is the packets of RTP or those of RTCP, both ways; or, without rules, those of the signalling.
type Flow struct {
	Number     uint32 // 1 is RTP and what is no RTP, 2 is RTCP; 0 is the signalling
	RTCP       bool
	Signalling bool
	Uplink     Rule
	Downlink   Rule
}

// Rule is a packet filter: a protocol (0: any), and the ends. An end without an address is any; without ports, every port.
type Rule struct {
	Protocol uint8
	From, To End
}

// End is where packets come from, or go to.
type End struct {
	Address     netip.Prefix
	First, Last uint16 // ports; Last is 0 for one alone
}

// Codec is an m-line with what belongs to it, as the UE sent it or was sent it (TS 29.214 §5.3.7).
type Codec struct {
	Uplink bool // the UE sent it
	Answer bool // it is of the answer; else of the offer
	Lines  []string
}

// Negotiation is an offer and its answer as the UE has sent and seen them.
type Negotiation struct {
	Offer, Answer []byte
	UEOffered     bool       // the UE made the offer
	UE            netip.Addr // where the UE is reached, should its description not say it
}

// maxComponents is how many components one request has. Open5GS leaves out more.
const maxComponents = 16

// Needs returns what a negotiated session needs: a component for each m-line of the offer whose kind is among kinds (none: all are). It is
// always complete: what was rejected or dropped is there as Removed.
func Needs(n Negotiation, kinds []Kind) ([]Component, error) {
	offer, err := parse(n.Offer)
	if err != nil {
		return nil, err
	}

	answer, err := parse(n.Answer)
	if err != nil {
		return nil, err
	}

	var components []Component

	for i := range offer.lines {
		offered := &offer.lines[i]
		answered := &line{media: offered.media} // an answer without it rejects it

		if i < len(answer.lines) {
			answered = &answer.lines[i]
		}

		if kind := offered.kind(); len(kinds) > 0 && !slices.Contains(kinds, kind) {
			continue
		}

		if len(components) == maxComponents {
			break
		}

		components = append(components, n.component(uint32(i+1), offered, answered))
	}

	return components, nil
}

// Any reports whether a component has flows, and there is anything to ask for.
func Any(components []Component) bool {
	return slices.ContainsFunc(components, func(c Component) bool { return len(c.Flows) > 0 })
}

// Signalling is what a session for the signalling's own flow has (TS 29.214 §4.4.5): it names the flow, and asks for no bearer.
func Signalling() []Component {
	return []Component{{Kind: Control, Status: Enabled, Flows: []Flow{{Signalling: true}}}}
}

// Covers reports whether who has the bearers of some components needs no others for these: each flow is among them, and none is to be
// wider. Which way packets may pass does not matter, for that is no bearer.
func Covers(had, needs []Component) bool {
	return !slices.ContainsFunc(needs, func(c Component) bool {
		return len(c.Flows) > 0 && !slices.ContainsFunc(had, func(h Component) bool {
			return h.Number == c.Number && h.Kind == c.Kind && !exceeds(c.Uplink, h.Uplink) && !exceeds(c.Downlink, h.Downlink) &&
				!slices.ContainsFunc(c.Flows, func(f Flow) bool { return !slices.Contains(h.Flows, f) })
		})
	})
}

// exceeds compares bandwidths; what is not said is no limit.
func exceeds(needed, had *uint32) bool { return had != nil && (needed == nil || *needed > *had) }

func (n *Negotiation) component(number uint32, offered, answered *line) Component {
	c := Component{Number: number, Kind: offered.kind(), Status: Removed}

	if offered.port == 0 || answered.port == 0 {
		return c
	}

	own, far := answered, offered
	if n.UEOffered {
		own, far = offered, answered
	}

	c.Status = status(own.sends() && far.receives(), far.sends() && own.receives())
	c.RS, c.RR = larger(own.bandwidth["RS"], far.bandwidth["RS"]), larger(own.bandwidth["RR"], far.bandwidth["RR"])
	c.Uplink, c.Downlink = far.rate(answered, own), own.rate(answered, far)
	c.Flows = n.flows(own, far, c.RS != nil && c.RR != nil && *c.RS == 0 && *c.RR == 0)
	c.Codecs = []Codec{
		{Uplink: n.UEOffered, Lines: offered.codec()},
		{Uplink: !n.UEOffered, Answer: true, Lines: answered.codec()},
	}

	return c
}

func status(uplink, downlink bool) Status {
	switch {
	case uplink && downlink:
		return Enabled
	case uplink:
		return EnabledUplink
	case downlink:
		return EnabledDownlink
	default:
		return Disabled
	}
}

func larger(a, b *uint32) *uint32 {
	if a == nil || b != nil && *b > *a {
		return b
	}

	return a
}
