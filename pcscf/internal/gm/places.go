package gm

import (
	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pkg/sip"
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
