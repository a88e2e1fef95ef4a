// Package media derives what a session needs of the access network: a function from an offer, its answer and the UE's side of them to
// media components and their IP flows (TS 29.213 §6.2, TS 29.214 §4.4.1, TS 29.514 §4.2.2.2). It does not decide whom to ask for them,
// or when.
//
// Session descriptions are parsed here and not by a library: github.com/pion/sdp v3 refuses a whole description for an m-line of a kind
// that it does not know, fax among them, and for lines out of order, and a call whose description is refused would have no bearer.
package media

import (
	"net/netip"
	"slices"
)

// Kind is what a component carries: the media of its m-line in capitals, as TS 29.214 §5.3.19 and TS 29.514 §5.6.3.3 name them.
type Kind string

// Kinds that the specifications name. Anything else in an m-line, such as fax, is Other.
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

// Kinds lists all kinds.
var Kinds = []Kind{Audio, Video, Data, Application, Control, Text, Message, Other}

// Status is the direction in which the packets of a component may pass (TS 29.214 §5.3.11).
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
	Number   uint32 // ordinal of the m-line, from 1, counting all m-lines
	Kind     Kind
	Status   Status
	Uplink   *uint32 // bit/s, of RTP including the headers below it; nil: not known
	Downlink *uint32
	RS, RR   *uint32 // bit/s for RTCP of senders and receivers (RFC 3556); nil: not given
	Flows    []Flow
	Codecs   []Codec
}

// Flow is the packets of RTP or of RTCP in both directions; without rules, those of the signalling.
type Flow struct {
	Number     uint32 // 1 is RTP, or media other than RTP; 2 is RTCP; 0 is the signalling
	RTCP       bool
	Signalling bool
	Uplink     Rule
	Downlink   Rule
}

// Rule is a packet filter: a protocol (0: any) and the two ends. An end without an address matches any address; without ports, every port.
type Rule struct {
	Protocol uint8
	From, To End
}

// End is the source or destination of packets.
type End struct {
	Address     netip.Prefix
	First, Last uint16 // ports; Last is 0 for a single port
}

// Codec is an m-line with its attributes, as the UE sent or received it (TS 29.214 §5.3.7).
type Codec struct {
	Uplink bool // the UE sent it
	Answer bool // it is part of the answer; else of the offer
	Lines  []string
}

// Negotiation is an offer and its answer as the UE has sent and seen them.
type Negotiation struct {
	Offer, Answer []byte
	UEOffered     bool       // the UE made the offer
	UE            netip.Addr // where the UE is reached, if its description does not say
}

// maxComponents is the most components in one request. Open5GS drops any beyond it.
const maxComponents = 16

// Needs returns what a negotiated session needs: a component for each m-line of the offer whose kind is among kinds (none: all kinds). The
// result is always complete: what was rejected or dropped is included as Removed.
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

// Any reports whether any component has flows, so that there is something to request.
func Any(components []Component) bool {
	return slices.ContainsFunc(components, func(c Component) bool { return len(c.Flows) > 0 })
}

// Signalling returns the component of a session for the signalling's own flow (TS 29.214 §4.4.5): it names the flow and requests no bearer.
func Signalling() []Component {
	return []Component{{Kind: Control, Status: Enabled, Flows: []Flow{{Signalling: true}}}}
}

// Covers reports whether the bearers of the components had suffice for needs: each flow is among them, and none needs to be wider.
// Directions do not matter, since they are no part of a bearer.
func Covers(had, needs []Component) bool {
	return !slices.ContainsFunc(needs, func(c Component) bool {
		return len(c.Flows) > 0 && !slices.ContainsFunc(had, func(h Component) bool {
			return h.Number == c.Number && h.Kind == c.Kind && !exceeds(c.Uplink, h.Uplink) && !exceeds(c.Downlink, h.Downlink) &&
				!slices.ContainsFunc(c.Flows, func(f Flow) bool { return !slices.Contains(h.Flows, f) })
		})
	})
}

// exceeds reports whether a needed bandwidth is more than had; nil is unlimited.
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
