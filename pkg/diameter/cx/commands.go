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

// Command codes of TS 29.229 §6.1.
func (*UAR) Command() diameter.Command { return command(300, false) }
func (*UAA) Command() diameter.Command { return command(300, true) }
func (*SAR) Command() diameter.Command { return command(301, false) }
func (*SAA) Command() diameter.Command { return command(301, true) }
func (*LIR) Command() diameter.Command { return command(302, false) }
func (*LIA) Command() diameter.Command { return command(302, true) }
func (*MAR) Command() diameter.Command { return command(303, false) }
func (*MAA) Command() diameter.Command { return command(303, true) }
func (*RTR) Command() diameter.Command { return command(304, false) }
func (*RTA) Command() diameter.Command { return command(304, true) }
func (*PPR) Command() diameter.Command { return command(305, false) }
func (*PPA) Command() diameter.Command { return command(305, true) }

// Valid values, so that a request with any other is answered DIAMETER_INVALID_AVP_VALUE.
func (t UserAuthorizationType) Valid() bool    { return t <= RegistrationAndCapabilities }
func (t ServerAssignmentType) Valid() bool     { return t <= Restoration }
func (a UserDataAlreadyAvailable) Valid() bool { return a <= UserDataAvailable }
func (c ReasonCode) Valid() bool               { return c <= RemoveSCSCF }
