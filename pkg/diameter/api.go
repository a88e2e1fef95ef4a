// Package diameter is the Diameter base protocol (RFC 6733) of all five functions: a guarded codec over go-diameter's,
// peers with their state machines and watchdogs (RFC 3539), request routing, and typed commands.
package diameter

import "fmt"

// Result is a Result-Code when Vendor is 0, else an Experimental-Result (RFC 6733 §7.1, §7.6). It is an error, so that a
// procedure can return it as its refusal.
type Result struct {
	Vendor uint32
	Code   uint32
}

// Error names the result, for logs and answers.
func (r Result) Error() string { return fmt.Sprintf("%d/%d", r.Vendor, r.Code) }

// RequestHeader is what every routed request carries. Node.Call fills empty fields.
type RequestHeader struct {
	SessionID        string `avp:"Session-Id,required"`
	OriginHost       string `avp:"Origin-Host,required"`
	OriginRealm      string `avp:"Origin-Realm,required"`
	DestinationHost  string `avp:"Destination-Host"`
	DestinationRealm string `avp:"Destination-Realm,required"`
}

// AnswerHeader is what every answer carries. The server fills Session-Id and Origin-* from the request and the node.
type AnswerHeader struct {
	SessionID    string `avp:"Session-Id"`
	Result       Result
	OriginHost   string `avp:"Origin-Host,required"`
	OriginRealm  string `avp:"Origin-Realm,required"`
	ErrorMessage string `avp:"Error-Message"`
}
