package diameter

import (
	"reflect"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
)

// Identity is a node's name in Diameter.
type Identity struct {
	Host  string `yaml:"host"`
	Realm string `yaml:"realm"`
}

// errorAnswer returns the answer that refuses a request (RFC 6733 §6.2, §7): with the E bit for protocol errors, Session-Id and
// Proxy-Info as received, and Failed-AVP if the error names an AVP.
func (d *Dictionary) errorAnswer(request *Message, e *Error, origin Identity) *Message {
	h := request.Header
	answer := diam.NewMessage(h.CommandCode, h.CommandFlags&diam.ProxiableFlag, h.ApplicationID, h.HopByHopID, h.EndToEndID, d.parser)
	answer.Header.HopByHopID, answer.Header.EndToEndID = h.HopByHopID, h.EndToEndID // NewMessage takes 0 for none
	protocolError := e.Result.Vendor == 0 && e.Result.Code/1000 == 3

	if protocolError {
		answer.Header.CommandFlags |= diam.ErrorFlag
	}

	if session := find(request.AVP, avp.SessionID); session != nil {
		answer.AddAVP(session)
	}

	if application := d.applications[h.ApplicationID]; application != nil && !protocolError {
		for _, a := range identity(application) {
			answer.AddAVP(a)
		}

		for _, code := range application.Echoed {
			if a := find(request.AVP, code); a != nil {
				answer.AddAVP(a)
			}
		}
	}

	answer.AddAVP(encodeResult(e.Result))
	answer.AddAVP(diam.NewAVP(avp.OriginHost, avp.Mbit, 0, datatype.DiameterIdentity(origin.Host)))
	answer.AddAVP(diam.NewAVP(avp.OriginRealm, avp.Mbit, 0, datatype.DiameterIdentity(origin.Realm)))

	if e.Message != "" {
		answer.AddAVP(diam.NewAVP(avp.ErrorMessage, 0, 0, datatype.UTF8String(e.Message)))
	}

	if failed := append(e.failed, d.stated(h.ApplicationID, e.Failed)...); len(failed) > 0 {
		answer.AddAVP(diam.NewAVP(avp.FailedAVP, avp.Mbit, 0, &diam.GroupedAVP{AVP: failed}))
	}

	for _, a := range d.stated(h.ApplicationID, e.Further) {
		answer.AddAVP(a)
	}

	copyProxyInfo(answer, request)

	return answer
}

// stated returns the AVPs of an Error's struct. An AVP that the dictionary does not know is a fault of the program, which the guard
// around the handler logs and answers with DIAMETER_UNABLE_TO_COMPLY.
func (d *Dictionary) stated(application uint32, fields any) []*diam.AVP {
	if fields == nil {
		return nil
	}

	value := reflect.ValueOf(fields).Elem()

	p, err := d.plan(application, value.Type())
	if err != nil {
		panic(err)
	}

	avps, err := p.encode(value, nil, 0, len(p.fields), new(room))
	if err != nil {
		panic(err)
	}

	return avps
}

// refuseWire answers a request that could not be decoded, with those of its AVPs that can be read.
func (d *Dictionary) refuseWire(w *WireError, origin Identity) *Message {
	e, request := &Error{Result: w.Result, Message: w.Err.Error()}, &Message{Header: &w.Header}

	if len(w.Raw) > headerLength {
		request.AVP = d.salvage(w.Header.ApplicationID, w.Raw[headerLength:])
	}

	if raw, err := parseAVP(aligned(w.Failed)); err == nil {
		e.failed = []*diam.AVP{diam.NewAVP(raw.code, raw.flags, raw.vendor, datatype.Unknown(w.Failed[raw.header:raw.length]))}
	}

	return d.errorAnswer(request, e, origin)
}

// salvage returns the AVPs of a message up to the point where they cannot be followed any more, without those that are faulty in
// themselves: an answer that repeated them would be refused in its turn.
func (d *Dictionary) salvage(application uint32, b []byte) (avps []*diam.AVP) {
	known, served := d.codes[application]
	if !served {
		known = d.codes[0]
	}

	for len(b) > 0 {
		raw, err := parseAVP(b)
		if err != nil {
			break
		}

		value, fault := known.value(raw, b[raw.header:raw.length], known[codeKey(raw.code, raw.vendor)], false, 0)
		if fault == nil {
			avps = append(avps, diam.NewAVP(raw.code, raw.flags, raw.vendor, value))
		}

		b = b[raw.next:]
	}

	return avps
}

// finish copies to an answer what its request prescribes (RFC 6733 §6.2): Proxy-Info, and the P bit.
func finish(answer, request *Message) {
	answer.Header.CommandFlags &^= diam.ProxiableFlag
	answer.Header.CommandFlags |= request.Header.CommandFlags & diam.ProxiableFlag

	copyProxyInfo(answer, request)
}

func copyProxyInfo(answer, request *Message) {
	for _, a := range request.AVP {
		if a.Code == avp.ProxyInfo && a.VendorID == 0 {
			answer.AddAVP(a)
		}
	}
}

// find returns the first AVP of the base protocol with this code, not looking into groups.
func find(avps []*diam.AVP, code uint32) *diam.AVP {
	for _, a := range avps {
		if a.Code == code && a.VendorID == 0 {
			return a
		}
	}

	return nil
}

// textOf returns the value of a string AVP of the base protocol, or "".
func textOf(avps []*diam.AVP, code uint32) string {
	a := find(avps, code)
	if a == nil {
		return ""
	}

	switch value := a.Data.(type) {
	case datatype.DiameterIdentity:
		return string(value)
	case datatype.UTF8String:
		return string(value)
	case datatype.OctetString:
		return string(value)
	default:
		return ""
	}
}
