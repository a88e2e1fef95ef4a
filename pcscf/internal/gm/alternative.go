package gm

import (
	"encoding/xml"
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Alternative is how a registered handset that calls an emergency service is told to call in another way (TS 24.229 §5.2.10.4), by 380
// (Alternative Service), if at all.
type Alternative string

// The values of Alternative. A call by an emergency registration, or without a registration, always goes to the emergency centre.
const (
	NoAlternative Alternative = "off"
	// RegisterFirst makes the handset register for emergency and call again.
	RegisterFirst Alternative = "emergency-registration"
	// OtherDomain lets the handset call by another domain, such as the circuit-switched one.
	OtherDomain Alternative = "other-domain"
)

// Alternatives lists all values of Alternative.
var Alternatives = []Alternative{NoAlternative, RegisterFirst, OtherDomain}

func (a Alternative) meant(from caller) bool {
	return (a == RegisterFirst || a == OtherDomain) && from == fromRegistered
}

// alternativeService is the body of a 380 (TS 24.229 §7.6).
type alternativeService struct {
	XMLName xml.Name `xml:"ims-3gpp"`
	Version string   `xml:"version,attr"`
	Service struct {
		Type   string `xml:"type"`
		Reason string `xml:"reason"`
		Action string `xml:"action,omitempty"`
	} `xml:"alternative-service"`
}

const alternativeType = "application/3gpp-ims+xml"

// body returns the body of the 380 as deployed networks write it: the type as text.
func (a Alternative) body() ([]byte, error) {
	s := alternativeService{Version: "1"}
	s.Service.Type, s.Service.Reason = "emergency", "emergency calls go another way here"

	if a == RegisterFirst {
		s.Service.Action = "emergency-registration"
	}

	text, err := xml.Marshal(s)

	return append([]byte(xml.Header), text...), err
}

// toAlternative answers 380. Its P-Asserted-Identity is this P-CSCF as in the Path of the registration, which tells the handset that the
// response can be trusted.
func (c *emergencyCall) toAlternative() {
	p := c.proxy

	body, err := p.emergencies.Alternative.body()
	if err != nil {
		c.refuse(sip.Refuse(500, "the alternative service cannot be written").Because(err))
		return
	}

	refusal := sip.Refuse(380, fmt.Sprintf("%s is called another way here (emergency.alternative)", c.service),
		sip.NewHeader("P-Asserted-Identity", p.path(c.binding.Token)), sip.NewHeader("Content-Type", alternativeType))
	p.refuse(answeredBy{c.tx, body}, ofEmergencies, refusal)
	c.ended(380)
}

// answeredBy answers a request with a body.
type answeredBy struct {
	*stack.ServerTransaction
	body []byte
}

// Respond sends a response with the body.
func (a answeredBy) Respond(r *sip.Response) error {
	r.SetBody(a.body)
	return a.ServerTransaction.Respond(r)
}
