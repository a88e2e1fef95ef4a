package rx

import (
	_ "embed"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

//go:embed rx.xml
var dictionary []byte

// Application is Rx (TS 29.214 §5.1): a vendor's in the capabilities exchange, named by Auth-Application-Id in its messages (§5.6).
var Application = diameter.Application{
	ID: 16777236, Vendor: VendorID, Name: "Rx", NamedByAuth: true, Dictionary: dictionary,
}

const (
	reAuth             = 258
	aa                 = 265
	abortSession       = 274
	sessionTermination = 275
)

func command(code uint32, answer bool) diameter.Command {
	return diameter.Command{Application: &Application, Code: code, Answer: answer}
}

// Command is the AAR, code 265 (TS 29.214 §5.6.1).
func (*AAR) Command() diameter.Command { return command(aa, false) }

// Command is the AAA, code 265 (TS 29.214 §5.6.2).
func (*AAA) Command() diameter.Command { return command(aa, true) }

// Command is the RAR, code 258 (TS 29.214 §5.6.3).
func (*RAR) Command() diameter.Command { return command(reAuth, false) }

// Command is the RAA, code 258 (TS 29.214 §5.6.4).
func (*RAA) Command() diameter.Command { return command(reAuth, true) }

// Command is the STR, code 275 (TS 29.214 §5.6.5).
func (*STR) Command() diameter.Command { return command(sessionTermination, false) }

// Command is the STA, code 275 (TS 29.214 §5.6.6).
func (*STA) Command() diameter.Command { return command(sessionTermination, true) }

// Command is the ASR, code 274 (TS 29.214 §5.6.7).
func (*ASR) Command() diameter.Command { return command(abortSession, false) }

// Command is the ASA, code 274 (TS 29.214 §5.6.8).
func (*ASA) Command() diameter.Command { return command(abortSession, true) }

// Valid reports whether TS 29.214 has the value; a request with another is answered DIAMETER_INVALID_AVP_VALUE.
func (s FlowStatus) Valid() bool { return s <= Removed }

// Valid reports whether TS 29.214 has the value; a request with another is answered DIAMETER_INVALID_AVP_VALUE.
func (u FlowUsage) Valid() bool { return u <= AFSignalling }

// Valid reports whether TS 29.214 has the value; a request with another is answered DIAMETER_INVALID_AVP_VALUE.
func (t MediaType) Valid() bool { return t <= Message || t == Other }
