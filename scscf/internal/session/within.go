package session

import (
	"context"
	"strconv"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
)

// chargeWithin charges a request within a dialog by itself, if the configuration says so: whoever sent it pays. own are this S-CSCF's
// entries in its Route, calls those of them that are calls.
func (s *Server) chargeWithin(ctx context.Context, out *sip.Request, own []sip.NameAddr, calls []*call) (*charging.Event, *charging.Refused) {
	if !s.Charging.ChargesWithin(originating.role(), string(out.Method), content(out)) {
		return nil, nil
	}

	payer, other := "", ""

	for _, c := range calls {
		if c.sent(out) {
			payer, other = c.public, c.other
		}
	}

	if len(calls) == 0 && len(own) > 0 { // a subscription, say
		payer, _ = identity(out, "P-Asserted-Identity")
		other = out.To().Address.String()
	}

	user, found := s.Registrations.Lookup(payer)
	if payer == "" || !found {
		return nil, nil
	}

	asked := s.describe(out, &served{side: originating, public: payer, user: user})
	if other != "" { // the Request-URI is the address of a handset, the user's own word
		asked.Called, asked.Requested = other, other
	}

	return s.Charging.Event(ctx, asked)
}

// sent tells whether a request within the call comes from the user that is served here.
func (c *call) sent(r *sip.Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.dialog == nil {
		return false
	}

	from, known := c.dialog.From(r)

	return known && (from == sip.Caller) == (c.side == originating)
}

// otherParty is who a call is with, as it is charged: the number that was called, or who called.
func otherParty(out *sip.Request, sv *served) string {
	if sv.side == originating {
		return out.Recipient.String()
	}

	if caller, named := identity(out, "P-Asserted-Identity"); named {
		return caller
	}

	return out.From().Address.String()
}

func content(r *sip.Request) charging.Content {
	return charging.Content{Type: sip.Value(r, "Content-Type"), Body: r.Body()}
}

// expires is the Expires header field in seconds; nil: none that can be read.
func expires(r *sip.Request) *uint32 {
	n, err := strconv.ParseUint(sip.Value(r, "Expires"), 10, 32)
	if err != nil {
		return nil
	}

	seconds := uint32(n)

	return &seconds
}
