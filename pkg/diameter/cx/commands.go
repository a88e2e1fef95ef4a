package cx

import (
	_ "embed"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

//go:embed cx.xml
var dictionary []byte

// Application is Cx (TS 29.229 §5.1).
var Application = diameter.Application{ID: 16777216, Vendor: VendorID, Name: "Cx", Stateless: true, Dictionary: dictionary}

func command(code uint32, answer bool) diameter.Command {
	return diameter.Command{Application: &Application, Code: code, Answer: answer}
}

// Command is the UAR, code 300 (TS 29.229 §6.1).
func (*UAR) Command() diameter.Command { return command(300, false) }

// Command is the UAA, code 300 (TS 29.229 §6.1).
func (*UAA) Command() diameter.Command { return command(300, true) }

// Command is the SAR, code 301 (TS 29.229 §6.1).
func (*SAR) Command() diameter.Command { return command(301, false) }

// Command is the SAA, code 301 (TS 29.229 §6.1).
func (*SAA) Command() diameter.Command { return command(301, true) }

// Command is the LIR, code 302 (TS 29.229 §6.1).
func (*LIR) Command() diameter.Command { return command(302, false) }

// Command is the LIA, code 302 (TS 29.229 §6.1).
func (*LIA) Command() diameter.Command { return command(302, true) }

// Command is the MAR, code 303 (TS 29.229 §6.1).
func (*MAR) Command() diameter.Command { return command(303, false) }

// Command is the MAA, code 303 (TS 29.229 §6.1).
func (*MAA) Command() diameter.Command { return command(303, true) }

// Command is the RTR, code 304 (TS 29.229 §6.1).
func (*RTR) Command() diameter.Command { return command(304, false) }

// Command is the RTA, code 304 (TS 29.229 §6.1).
func (*RTA) Command() diameter.Command { return command(304, true) }

// Command is the PPR, code 305 (TS 29.229 §6.1).
func (*PPR) Command() diameter.Command { return command(305, false) }

// Command is the PPA, code 305 (TS 29.229 §6.1).
func (*PPA) Command() diameter.Command { return command(305, true) }

// Valid reports whether TS 29.229 has the value; a request with another is answered DIAMETER_INVALID_AVP_VALUE.
func (t UserAuthorizationType) Valid() bool { return t <= RegistrationAndCapabilities }

// Valid reports whether TS 29.229 has the value; a request with another is answered DIAMETER_INVALID_AVP_VALUE.
func (t ServerAssignmentType) Valid() bool { return t <= Restoration }

// Valid reports whether TS 29.229 has the value; a request with another is answered DIAMETER_INVALID_AVP_VALUE.
func (a UserDataAlreadyAvailable) Valid() bool { return a <= UserDataAvailable }

// Valid reports whether TS 29.229 has the value; a request with another is answered DIAMETER_INVALID_AVP_VALUE.
func (c ReasonCode) Valid() bool { return c <= RemoveSCSCF }
