package gm

import (
	"encoding/xml"
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Alternative says whether a registered handset that calls an emergency service is told to do so in another way (TS 24.229 §5.2.10.4):
// 380 (Alternative Service).
type Alternative string

// The values of Alternative. A call by an emergency registration, or without any, always goes to the emergency centre.
const (
	NoAlternative Alternative = "off"
	// RegisterFirst: the handset makes an emergency registration and calls again.
	RegisterFirst Alternative = "emergency-registration"
	// OtherDomain: the handset is free to call by another domain, such as the circuit-switched one.
	OtherDomain Alternative = "other-domain"
)

// Alternatives are all of them.
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

// body returns the body of the 380, as deployed networks write it: the type as text.
func (a Alternative) body() ([]byte, error) {
	s := alternativeService{Version: "1"}
	s.Service.Type, s.Service.Reason = "emergency", "emergency calls go another way here"

	if a == RegisterFirst {
		s.Service.Action = "emergency-registration"
	}

	text, err := xml.Marshal(s)

	return append([]byte(xml.Header), text...), err
}

// toAlternative answers 380. Its P-Asserted-Identity is this P-CSCF as in the Path of the registration, by which the handset knows that
// it may believe it.
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
