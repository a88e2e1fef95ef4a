package gm

import (
	"strings"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pkg/ims/access"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// provide adds to a message of a handset, beside what the handset states itself, where it is according to the access network (TS 24.229
// §7.2A.4.2). An ACK and a provisional answer of 100 do not have it.
func (b *Bearers) provide(m sip.Message, of *binding.Binding) {
	if b == nil || !b.Location {
		return
	}

	if r, ok := m.(*sip.Response); ok && r.StatusCode == 100 {
		return
	}

	if at := b.sessions.Place(of.Flow.Remote.Addr()).String(); at != "" {
		sip.Add(m, "P-Access-Network-Info", at)
	}
}

// whereabouts returns what is known of where the handset is that sends a request: what the access network says, or else the handset itself.
func (b *Bearers) whereabouts(r *sip.Request, flow stack.Flow) string {
	if b != nil && b.Location {
		if at := b.sessions.Place(flow.Remote.Addr()).String(); at != "" {
			return at
		}
	}

	return strings.Clone(access.Stated(r))
}
