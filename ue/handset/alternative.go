package handset

import (
	"encoding/xml"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Alternative is what a 380 (Alternative Service) tells a handset to do instead of its call (TS 24.229 §5.1.2A.1.6, §7.6).
type Alternative struct {
	Type   string // "emergency"
	Reason string
	Action string // "emergency-registration": register for emergency, and call again; "": call by another domain
}

// Alternative returns what a 380 tells; ok is false for any other response, and for a 380 that cannot be read.
func (e *Refused) Alternative() (a Alternative, ok bool) {
	const alternativeService = 380

	if e.Response.StatusCode != alternativeService ||
		!strings.HasPrefix(strings.ToLower(sip.Value(e.Response, "Content-Type")), "application/3gpp-ims+xml") {
		return a, false
	}

	var body struct {
		XMLName xml.Name `xml:"ims-3gpp"`
		Service struct {
			Type struct {
				Text      string    `xml:",chardata"`
				Emergency *struct{} `xml:"emergency"` // as some releases of TS 24.229 have it
			} `xml:"type"`
			Reason string `xml:"reason"`
			Action struct {
				Text     string    `xml:",chardata"`
				Register *struct{} `xml:"emergency-registration"`
			} `xml:"action"`
		} `xml:"alternative-service"`
	}
	if xml.Unmarshal(e.Response.Body(), &body) != nil {
		return a, false
	}

	s := body.Service
	a = Alternative{Type: strings.TrimSpace(s.Type.Text), Reason: strings.TrimSpace(s.Reason), Action: strings.TrimSpace(s.Action.Text)}

	if s.Type.Emergency != nil {
		a.Type = "emergency"
	}

	if s.Action.Register != nil {
		a.Action = RegisterForEmergency
	}

	return a, true
}

// RegisterForEmergency is the Action of a 380 after which a handset registers for emergency, and calls again.
const RegisterForEmergency = "emergency-registration"
