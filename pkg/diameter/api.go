// Package diameter implements the Diameter base protocol (RFC 6733) for all five functions: a guarded codec over go-diameter's, peers
// with their watchdogs (RFC 3539), request routing, and typed commands.
package diameter

import (
	"errors"
	"fmt"

	"github.com/fiorix/go-diameter/v4/diam"
)

// Message is one Diameter message.
type Message = diam.Message

// Result is a Result-Code when Vendor is 0, else an Experimental-Result (RFC 6733 §7.1, §7.6). It is an error, so that a procedure can
// return it as its refusal.
type Result struct {
	Vendor uint32
	Code   uint32
}

// Results of the base protocol (RFC 6733 §7.1).
var (
	Success                = Result{Code: 2001}
	CommandUnsupported     = Result{Code: 3001}
	UnableToDeliver        = Result{Code: 3002}
	RealmNotServed         = Result{Code: 3003}
	TooBusy                = Result{Code: 3004}
	ApplicationUnsupported = Result{Code: 3007}
	InvalidHeaderBits      = Result{Code: 3008}
	InvalidAVPBits         = Result{Code: 3009}
	UnknownPeer            = Result{Code: 3010}
	AVPUnsupported         = Result{Code: 5001}
	InvalidAVPValue        = Result{Code: 5004}
	MissingAVP             = Result{Code: 5005}
	AVPOccursTooManyTimes  = Result{Code: 5009}
	NoCommonApplication    = Result{Code: 5010}
	UnsupportedVersion     = Result{Code: 5011}
	UnableToComply         = Result{Code: 5012}
	InvalidAVPLength       = Result{Code: 5014}
	InvalidMessageLength   = Result{Code: 5015}
)

// Error returns the result as text.
func (r Result) Error() string {
	if r.Vendor == 0 {
		return fmt.Sprintf("Diameter result %d", r.Code)
	}

	return fmt.Sprintf("Diameter experimental result %d of vendor %d", r.Code, r.Vendor)
}

// Successful reports whether the result is of the class 2xxx.
func (r Result) Successful() bool { return r.Code/1000 == 2 }

// Error is a refusal with more than a Result: the AVPs at fault, a text for the peer, the cause for our log.
type Error struct {
	Result  Result
	Message string // Error-Message
	Failed  any    // content of Failed-AVP (RFC 6733 §7.5): a pointer to a struct whose fields are AVPs, as in a command
	Further any    // further AVPs of the answer, in the same form
	Err     error

	failed []*diam.AVP // instead of Failed: AVPs at fault that the codec found
}

// Error returns the text for the log.
func (e *Error) Error() string {
	switch {
	case e.Err != nil:
		return fmt.Sprintf("%v: %v", e.Result, e.Err)
	case e.Message != "":
		return fmt.Sprintf("%v: %s", e.Result, e.Message)
	default:
		return e.Result.Error()
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ResultOf returns the Error or Result in an error, as an Error; without one it is DIAMETER_UNABLE_TO_COMPLY. It is the one place where
// errors become results.
func ResultOf(err error) *Error {
	var detailed *Error
	if errors.As(err, &detailed) {
		return detailed
	}

	var result Result
	if errors.As(err, &result) {
		return &Error{Result: result, Err: err}
	}

	return &Error{Result: UnableToComply, Err: err}
}

// Application is a Diameter application as this node speaks it.
type Application struct {
	ID          uint32
	Vendor      uint32 // if not 0, announced in Vendor-Specific-Application-Id
	Name        string
	NamedByAuth bool     // its messages have Auth-Application-Id, even though it is a vendor's (TS 29.214 §5.6)
	Stateless   bool     // its messages carry Auth-Session-State NO_STATE_MAINTAINED
	KnownPeers  bool     // only configured peers may send requests, and of them only those configured for the application
	Echoed      []uint32 // codes of base protocol AVPs that every answer copies from its request
	Dictionary  []byte   // go-diameter's XML
}

// Command says which command a typed message is.
type Command struct {
	Application *Application
	Code        uint32
	Answer      bool
}

// Commander is a typed message.
type Commander interface{ Command() Command }

// RequestHeader has the AVPs of every routed request. Call fills empty fields.
type RequestHeader struct {
	SessionID        string `avp:"Session-Id,required"`
	OriginHost       string `avp:"Origin-Host,required"`
	OriginRealm      string `avp:"Origin-Realm,required"`
	DestinationHost  string `avp:"Destination-Host"`
	DestinationRealm string `avp:"Destination-Realm,required"`

	Retransmitted bool // the T flag (RFC 6733 §3): the request was sent before, and may have arrived
}

// AnswerHeader has the AVPs of every answer. The server fills Session-Id and Origin-* from the request and the node.
type AnswerHeader struct {
	SessionID    string `avp:"Session-Id"`
	Result       Result `avp:"Result-Code,required"`
	OriginHost   string `avp:"Origin-Host,required"`
	OriginRealm  string `avp:"Origin-Realm,required"`
	ErrorMessage string `avp:"Error-Message"`
}

func (h *RequestHeader) requestHeader() *RequestHeader { return h }

// requestHeaded is a request with a RequestHeader.
type requestHeaded interface{ requestHeader() *RequestHeader }

func (h *AnswerHeader) answerHeader() *AnswerHeader { return h }
