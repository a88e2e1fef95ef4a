// Package trace records every message a function sends or receives, in clear: into a bounded ring that the admin port
// serves, and into a pcapng file.
package trace

import (
	"net/netip"
	"time"
)

// Protocol is the protocol of a traced message.
type Protocol string

// The protocols that are traced.
const (
	SIP      Protocol = "SIP"
	Diameter Protocol = "Diameter"
	HTTP     Protocol = "HTTP"
)

// Message is one message on the wire.
type Message struct {
	Time      time.Time
	Interface string // the reference point or endpoint name: "Gm", "Mw", "Cx", "Ro", "N5"
	Protocol  Protocol
	Sent      bool   // false: received
	Transport string // "UDP", "TCP", "TLS"
	Local     netip.AddrPort
	Remote    netip.AddrPort
	Data      []byte // valid only during the call of the Tap; of HTTP, the message as HTTP/1.1 would write it
	Exchange  uint64 `json:",omitempty"` // of HTTP: what an answer has in common with its request

	// Describe, if set, returns the text of Data where that is not text. It may be called later, and from any goroutine.
	Describe func(data []byte) string `json:"-"`
}

// Tap is called with every message. It must not block and must not keep Data. A nil Tap means that tracing is off.
type Tap func(Message)
