// Package procedure answers the HSS's Cx requests (TS 29.228 §6): UAR, MAR, SAR and LIR. Each procedure is a file: a decision on
// what the store knows, without I/O, and the few lines that fetch and save around it.
package procedure

import (
	"fmt"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// Identities is what a request names.
type Identities = subscriber.Identities

// canonical is the form in which identities are stored: a CSCF of another make may ask with a port or parameters.
func canonical(identity string) string {
	if plain, err := ims.CanonicalIdentity(identity); err == nil {
		return plain
	}

	return identity // unknown, then
}

// capabilities are absent when any S-CSCF will do (TS 29.228 §6.7).
func capabilities(s *subscriber.Subscription) *cx.Capabilities {
	c := s.Capabilities
	if len(c.Mandatory)+len(c.Optional)+len(c.ServerNames) == 0 {
		return nil
	}

	return &cx.Capabilities{Mandatory: c.Mandatory, Optional: c.Optional, ServerNames: c.ServerNames}
}

const (
	publicIdentityCode     = 601 // TS 29.229 §6.3.2
	assignmentTypeCode     = 614
	authorizationCode      = 610
	numberOfAuthItemsCode  = 607
	userAuthorizationCode  = 623
	authorizationTypeLimit = cx.RegistrationAndCapabilities
)

func missing(name string, example *diam.AVP) error {
	return &diameter.Error{Result: diameter.MissingAVP, Message: name + " is needed here", Failed: []*diam.AVP{example}}
}

func missingUserName() error {
	return missing("User-Name", diam.NewAVP(avp.UserName, avp.Mbit, 0, datatype.UTF8String("")))
}

func missingPublicIdentity() error { return missing("Public-Identity", publicIdentity("")) }

func publicIdentity(value string) *diam.AVP {
	return diam.NewAVP(publicIdentityCode, avp.Mbit|avp.Vbit, cx.VendorID, datatype.UTF8String(value))
}

func invalidNumber(name string, code uint32, value uint32) error {
	return &diameter.Error{
		Result: diameter.InvalidAVPValue, Message: fmt.Sprintf("%s cannot be %d", name, value),
		Failed: []*diam.AVP{diam.NewAVP(code, avp.Mbit|avp.Vbit, cx.VendorID, datatype.Unsigned32(value))},
	}
}

func refused(result diameter.Result, format string, arguments ...any) error {
	return &diameter.Error{Result: result, Message: fmt.Sprintf(format, arguments...)}
}
