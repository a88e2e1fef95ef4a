package session

import (
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// view presents a request to filter criteria.
type view struct {
	request *sip.Request
	side    ifc.SessionCase
}

func (v *view) Method() string { return string(v.request.Method) }

func (v *view) RequestURI() string { return v.request.Recipient.String() }

func (v *view) EachHeader(name string, yield func(string) bool) {
	sip.EachField(v.request, name, yield)
}

func (v *view) EachHeaderName(yield func(string) bool) {
	for _, h := range v.request.Headers() {
		if !yield(sip.LongName(h.Name())) {
			return
		}
	}
}

func (v *view) SessionCase() ifc.SessionCase { return v.side }

func (v *view) RegistrationType() ifc.RegistrationType { return ifc.InitialRegistration }

func (v *view) SDP() []byte {
	return ifc.SessionDescription(sip.Value(v.request, "Content-Type"), v.request.Body())
}
