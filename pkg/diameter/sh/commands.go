// Package sh is the Sh application (TS 29.328, TS 29.329): typed messages between application servers and the HSS, and the documents in
// them.
package sh

import (
	_ "embed"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

//go:embed sh.xml
var dictionary []byte

// Application is Sh (TS 29.329 §6). Its answers say where users are, so only known nodes may ask.
var Application = diameter.Application{
	ID: 16777217, Vendor: VendorID, Name: "Sh", Stateless: true, KnownPeers: true, Dictionary: dictionary,
}

const (
	userData               = 306
	profileUpdate          = 307
	subscribeNotifications = 308
	pushNotification       = 309
)

func command(code uint32, answer bool) diameter.Command {
	return diameter.Command{Application: &Application, Code: code, Answer: answer}
}

// Command is the UDR, code 306 (TS 29.329 §6.1.1).
func (*UDR) Command() diameter.Command { return command(userData, false) }

// Command is the UDA, code 306 (TS 29.329 §6.1.2).
func (*UDA) Command() diameter.Command { return command(userData, true) }

// Command is the PUR, code 307 (TS 29.329 §6.1.3).
func (*PUR) Command() diameter.Command { return command(profileUpdate, false) }

// Command is the PUA, code 307 (TS 29.329 §6.1.4).
func (*PUA) Command() diameter.Command { return command(profileUpdate, true) }

// Command is the SNR, code 308 (TS 29.329 §6.1.5).
func (*SNR) Command() diameter.Command { return command(subscribeNotifications, false) }

// Command is the SNA, code 308 (TS 29.329 §6.1.6).
func (*SNA) Command() diameter.Command { return command(subscribeNotifications, true) }

// Command is the PNR, code 309 (TS 29.329 §6.1.7).
func (*PNR) Command() diameter.Command { return command(pushNotification, false) }

// Command is the PNA, code 309 (TS 29.329 §6.1.8).
func (*PNA) Command() diameter.Command { return command(pushNotification, true) }

// Valid reports whether TS 29.329 has the value; a request with another is answered DIAMETER_INVALID_AVP_VALUE.
func (t SubsReqType) Valid() bool { return t <= Unsubscribe }

// Valid reports whether TS 29.329 has the value.
func (s IdentitySet) Valid() bool { return s <= AliasIdentities }
