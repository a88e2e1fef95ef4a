package ro

import (
	_ "embed"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

//go:embed ro.xml
var dictionary []byte

const (
	ccRequestNumber = 415
	ccRequestType   = 416
)

// Application is Diameter credit control (RFC 8506 §1.3), on which Ro runs (TS 32.299 §6.4). Every answer identifies its request,
// refusals too (RFC 8506 §3.2).
var Application = diameter.Application{
	ID: 4, Name: "Ro", Echoed: []uint32{ccRequestType, ccRequestNumber}, Dictionary: dictionary,
}

// Command is Credit-Control, code 272.
func (*CCR) Command() diameter.Command { return diameter.Command{Application: &Application, Code: 272} }

// Command is Credit-Control, code 272.
func (*CCA) Command() diameter.Command {
	return diameter.Command{Application: &Application, Code: 272, Answer: true}
}

// Command is Re-Auth, code 258 (RFC 6733 §8.3), in the credit-control application.
func (*RAR) Command() diameter.Command { return diameter.Command{Application: &Application, Code: 258} }

// Command is Re-Auth, code 258.
func (*RAA) Command() diameter.Command {
	return diameter.Command{Application: &Application, Code: 258, Answer: true}
}

// Command is Abort-Session, code 274 (RFC 6733 §8.5), in the credit-control application.
func (*ASR) Command() diameter.Command { return diameter.Command{Application: &Application, Code: 274} }

// Command is Abort-Session, code 274.
func (*ASA) Command() diameter.Command {
	return diameter.Command{Application: &Application, Code: 274, Answer: true}
}

// Valid reports whether the specification has the value; a request with another is answered DIAMETER_INVALID_AVP_VALUE.
func (t RequestType) Valid() bool { return t >= Initial && t <= Event }

// Valid reports whether the specification has the value; a request with another is answered DIAMETER_INVALID_AVP_VALUE.
func (a RequestedAction) Valid() bool { return a <= PriceEnquiry }

// Valid reports whether the specification has the value; a request with another is answered DIAMETER_INVALID_AVP_VALUE.
func (t SubscriptionIDType) Valid() bool { return t <= Private }

// Valid reports whether the specification has the value; a request with another is answered DIAMETER_INVALID_AVP_VALUE.
func (t ReAuthType) Valid() bool { return t <= AuthorizeAuthenticate }
