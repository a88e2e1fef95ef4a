package sip

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

// Reason is one value of a Reason header field (RFC 3326 §2): why a request was sent, or a response is what it is.
type Reason struct {
	Protocol string // ProtocolSIP, ProtocolDiameter, or any other received
	Cause    int    // a status, a Result-Code; 0: none is given
	Text     string
}

// Protocols of the causes that this network gives.
const (
	ProtocolSIP      = "SIP"
	ProtocolDiameter = "DIAMETER" // TS 24.229 §7.2A.18
)

// String writes the value. Its text is made to fit a quoted string (RFC 3261 §25.1): quotes and backslashes are escaped, control
// characters become blanks, and octets that are not UTF-8 become the replacement character.
func (r Reason) String() string {
	b := append(make([]byte, 0, len(r.Protocol)+len(r.Text)+24), r.Protocol...)

	if r.Cause != 0 {
		b = strconv.AppendInt(append(b, ";cause="...), int64(r.Cause), 10)
	}

	if r.Text != "" {
		b = grammar.AppendQuoted(append(b, ";text="...), strings.ToValidUTF8(r.Text, string(utf8.RuneError)))
	}

	return string(b)
}

// Header returns a header field with this value.
func (r Reason) Header() Header { return NewHeader("Reason", r.String()) }

// ParseReason reads one value as handsets write it: with blanks around its separators, and its text in quotes or not.
func ParseReason(value string) (Reason, error) {
	protocol, params, err := grammar.ParseValue(value)
	if err != nil {
		return Reason{}, fmt.Errorf("Reason: %w", err)
	}

	r := Reason{Protocol: protocol}
	r.Text, _ = params.Get("text")

	if cause, given := params.Get("cause"); given {
		if r.Cause, err = strconv.Atoi(cause); err != nil {
			return Reason{}, fmt.Errorf("Reason: cause %.20q: %w", cause, grammar.ErrSyntax)
		}
	}

	return r, nil
}

// Is reports whether the reason is this cause of a protocol, whose name may be in any case.
func (r Reason) Is(protocol string, cause int) bool {
	return r.Cause == cause && strings.EqualFold(r.Protocol, protocol)
}

// Reasons returns the readable values of the Reason header fields of a message.
func Reasons(m Message) (all []Reason) {
	for _, value := range Values(m, "Reason") {
		if r, err := ParseReason(value); err == nil {
			all = append(all, r)
		}
	}

	return all
}

// SetReasons sets the Reason header fields of a message.
func SetReasons(m Message, reasons ...Reason) {
	Remove(m, "Reason")

	for _, r := range reasons {
		m.AppendHeader(r.Header())
	}
}

// StatusReason returns a Reason with a SIP status. Without a text it has the standard phrase.
func StatusReason(status int, text string) Reason {
	if text == "" {
		text = Phrase(status)
	}

	return Reason{Protocol: ProtocolSIP, Cause: status, Text: text}
}
