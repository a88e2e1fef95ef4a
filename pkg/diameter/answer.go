package diameter

import (
	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
)

// Identity is a node's name in Diameter.
type Identity struct{ Host, Realm string }

// refuse answers a request with an error (RFC 6733 §6.2, §7): E bit for protocol errors, Session-Id and Proxy-Info as they
// came, Failed-AVP where the error names an AVP.
func (d *Dictionary) refuse(request *Message, e *Error, origin Identity) *Message {
	answer := d.answerTo(*request.Header, e.Result)

	if session := find(request.AVP, avp.SessionID); session != nil {
		answer.AddAVP(session)
	}

	if application := d.applications[request.Header.ApplicationID]; application != nil && e.Result.Code/1000 != 3 {
		d.identify(answer, application)
	}

	d.finish(answer, e, origin)
	copyProxyInfo(answer, request)

	return answer
}

// refuseWire answers a request that could not be decoded, from its header alone.
func (d *Dictionary) refuseWire(w *WireError, origin Identity) *Message {
	answer := d.answerTo(w.Header, w.Result)
	d.finish(answer, &Error{Result: w.Result, Message: w.Err.Error()}, origin)

	if w.Failed != nil {
		answer.AddAVP(diam.NewAVP(avp.FailedAVP, avp.Mbit, 0, datatype.Grouped(aligned(w.Failed))))
	}

	return answer
}

func (d *Dictionary) answerTo(h diam.Header, result Result) *Message {
	m := diam.NewMessage(h.CommandCode, h.CommandFlags&diam.ProxiableFlag, h.ApplicationID, h.HopByHopID, h.EndToEndID, d.parser)

	if result.Vendor == 0 && result.Code/1000 == 3 {
		m.Header.CommandFlags |= diam.ErrorFlag
	}

	return m
}

func (d *Dictionary) finish(answer *Message, e *Error, origin Identity) {
	answer.AddAVP(encodeResult(e.Result))
	answer.AddAVP(diam.NewAVP(avp.OriginHost, avp.Mbit, 0, datatype.DiameterIdentity(origin.Host)))
	answer.AddAVP(diam.NewAVP(avp.OriginRealm, avp.Mbit, 0, datatype.DiameterIdentity(origin.Realm)))

	if e.Message != "" {
		answer.AddAVP(diam.NewAVP(avp.ErrorMessage, 0, 0, datatype.UTF8String(e.Message)))
	}

	if len(e.Failed) > 0 {
		answer.AddAVP(diam.NewAVP(avp.FailedAVP, avp.Mbit, 0, &diam.GroupedAVP{AVP: e.Failed}))
	}
}

func copyProxyInfo(answer, request *Message) {
	for _, a := range request.AVP {
		if a.Code == avp.ProxyInfo && a.VendorID == 0 {
			answer.AddAVP(a)
		}
	}
}

// find is the first AVP of the base protocol with this code, not looking into groups.
func find(avps []*diam.AVP, code uint32) *diam.AVP {
	for _, a := range avps {
		if a.Code == code && a.VendorID == 0 {
			return a
		}
	}

	return nil
}

// textOf is the value of a string AVP of the base protocol, or "".
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
