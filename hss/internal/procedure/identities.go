// Package procedure answers the HSS's Cx requests (TS 29.228 §6): UAR, MAR, SAR and LIR. Each procedure is a file: a decision on
// what the store knows, without I/O, and the few lines that fetch and save around it.
package procedure

import (
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// identities is what a request names.
type identities = subscriber.Identities

// canonical returns the form in which identities are stored: a CSCF of another make may ask with a port or parameters.
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

// missing says which AVP is needed that the syntax of the command does not ask for.
func missing(name string, example *cx.FailedAVP) error {
	return &diameter.Error{Result: diameter.MissingAVP, Message: name + " is needed here", Failed: example}
}

// invalid says which value there is not.
func invalid[N ~uint32](name string, value N, failed *cx.FailedAVP) error {
	return &diameter.Error{Result: diameter.InvalidAVPValue, Message: fmt.Sprintf("%s cannot be %d", name, value), Failed: failed}
}

func refused(result diameter.Result, format string, arguments ...any) error {
	return &diameter.Error{Result: result, Message: fmt.Sprintf(format, arguments...)}
}
