// Package swx is the SWx application (TS 29.273 §8): typed messages between the HSS and the 3GPP AAA server of an ePDG or of another
// non-3GPP access.
package swx

import (
	_ "embed"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

//go:embed swx.xml
var dictionary []byte

// Application is SWx (TS 29.273 §8.2.1). Its answers contain the keys that protect a SIM, so only known nodes may ask.
var Application = diameter.Application{
	ID: 16777265, Vendor: VendorID, Name: "SWx", Stateless: true, KnownPeers: true, Dictionary: dictionary,
}

const (
	serverAssignment        = 301
	multimediaAuth          = 303
	registrationTermination = 304
	pushProfile             = 305
)

func command(code uint32, answer bool) diameter.Command {
	return diameter.Command{Application: &Application, Code: code, Answer: answer}
}

// Command is the MAR, code 303 (TS 29.273 §8.2.2.1).
func (*MAR) Command() diameter.Command { return command(multimediaAuth, false) }

// Command is the MAA, code 303 (TS 29.273 §8.2.2.1).
func (*MAA) Command() diameter.Command { return command(multimediaAuth, true) }

// Command is the SAR, code 301 (TS 29.273 §8.2.2.3).
func (*SAR) Command() diameter.Command { return command(serverAssignment, false) }

// Command is the SAA, code 301 (TS 29.273 §8.2.2.3).
func (*SAA) Command() diameter.Command { return command(serverAssignment, true) }

// Command is the RTR, code 304 (TS 29.273 §8.2.2.4).
func (*RTR) Command() diameter.Command { return command(registrationTermination, false) }

// Command is the RTA, code 304 (TS 29.273 §8.2.2.4).
func (*RTA) Command() diameter.Command { return command(registrationTermination, true) }

// Command is the PPR, code 305 (TS 29.273 §8.2.2.2).
func (*PPR) Command() diameter.Command { return command(pushProfile, false) }

// Command is the PPA, code 305 (TS 29.273 §8.2.2.2).
func (*PPA) Command() diameter.Command { return command(pushProfile, true) }
