// Package procedure answers the HSS's Cx requests (TS 29.228 §6): UAR, MAR, SAR and LIR. Each procedure is a file: a decision on what the
// store knows, without I/O, and a few lines that load and save around it.
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

// canonical returns the stored form of an identity: other CSCFs may send a port or parameters.
func canonical(identity string) string {
	if plain, err := ims.CanonicalIdentity(identity); err == nil {
		return plain
	}

	return identity // unknown, then
}

// capabilities returns nil if any S-CSCF will do (TS 29.228 §6.7).
func capabilities(s *subscriber.Subscription) *cx.Capabilities {
	c := s.Capabilities
	if len(c.Mandatory)+len(c.Optional)+len(c.ServerNames) == 0 {
		return nil
	}

	return &cx.Capabilities{Mandatory: c.Mandatory, Optional: c.Optional, ServerNames: c.ServerNames}
}

// missing returns the error for an AVP that is needed although the syntax of the command does not require it.
func missing(name string, example *cx.FailedAVP) error {
	return &diameter.Error{Result: diameter.MissingAVP, Message: name + " is needed here", Failed: example}
}

// invalid returns the error for a value that does not exist.
func invalid[N ~uint32](name string, value N, failed *cx.FailedAVP) error {
	return &diameter.Error{Result: diameter.InvalidAVPValue, Message: fmt.Sprintf("%s cannot be %d", name, value), Failed: failed}
}

func refused(result diameter.Result, format string, arguments ...any) error {
	return &diameter.Error{Result: result, Message: fmt.Sprintf(format, arguments...)}
}
