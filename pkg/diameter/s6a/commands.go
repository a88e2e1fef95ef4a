package s6a

import (
	_ "embed"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

//go:embed s6a.xml
var dictionary []byte

// Application is S6a (TS 29.272 §7.1.8). Its answers contain the keys that protect a SIM, so only known nodes may ask.
var Application = diameter.Application{
	ID: 16777251, Vendor: VendorID, Name: "S6a", Stateless: true, KnownPeers: true, Dictionary: dictionary,
}

const (
	updateLocation            = 316
	cancelLocation            = 317
	authenticationInformation = 318
	insertSubscriberData      = 319
	deleteSubscriberData      = 320
	purgeUE                   = 321
	reset                     = 322
	notify                    = 323
)

func command(code uint32, answer bool) diameter.Command {
	return diameter.Command{Application: &Application, Code: code, Answer: answer}
}

// Command is the ULR, code 316 (TS 29.272 §7.2.3).
func (*ULR) Command() diameter.Command { return command(updateLocation, false) }

// Command is the ULA, code 316 (TS 29.272 §7.2.4).
func (*ULA) Command() diameter.Command { return command(updateLocation, true) }

// Command is the AIR, code 318 (TS 29.272 §7.2.5).
func (*AIR) Command() diameter.Command { return command(authenticationInformation, false) }

// Command is the AIA, code 318 (TS 29.272 §7.2.6).
func (*AIA) Command() diameter.Command { return command(authenticationInformation, true) }

// Command is the CLR, code 317 (TS 29.272 §7.2.7).
func (*CLR) Command() diameter.Command { return command(cancelLocation, false) }

// Command is the CLA, code 317 (TS 29.272 §7.2.8).
func (*CLA) Command() diameter.Command { return command(cancelLocation, true) }

// Command is the IDR, code 319 (TS 29.272 §7.2.9).
func (*IDR) Command() diameter.Command { return command(insertSubscriberData, false) }

// Command is the IDA, code 319 (TS 29.272 §7.2.10).
func (*IDA) Command() diameter.Command { return command(insertSubscriberData, true) }

// Command is the DSR, code 320 (TS 29.272 §7.2.11).
func (*DSR) Command() diameter.Command { return command(deleteSubscriberData, false) }

// Command is the DSA, code 320 (TS 29.272 §7.2.12).
func (*DSA) Command() diameter.Command { return command(deleteSubscriberData, true) }

// Command is the PUR, code 321 (TS 29.272 §7.2.13).
func (*PUR) Command() diameter.Command { return command(purgeUE, false) }

// Command is the PUA, code 321 (TS 29.272 §7.2.14).
func (*PUA) Command() diameter.Command { return command(purgeUE, true) }

// Command is the RSR, code 322 (TS 29.272 §7.2.15).
func (*RSR) Command() diameter.Command { return command(reset, false) }

// Command is the RSA, code 322 (TS 29.272 §7.2.16).
func (*RSA) Command() diameter.Command { return command(reset, true) }

// Command is the NOR, code 323 (TS 29.272 §7.2.17).
func (*NOR) Command() diameter.Command { return command(notify, false) }

// Command is the NOA, code 323 (TS 29.272 §7.2.18).
func (*NOA) Command() diameter.Command { return command(notify, true) }

// Valid reports whether TS 29.272 has the value; a request with another is answered DIAMETER_INVALID_AVP_VALUE.
func (t CancellationType) Valid() bool { return t <= InitialAttachProcedure }
