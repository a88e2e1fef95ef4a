package session

import (
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// passed sees what became of a BYE. Its call is settled since it came; one that has not reached the other party, or was not meant to
// (Max-Forwards that ends half-way, a CSeq of the past, the tags the wrong way round, another Request-URI), would leave that party
// in a call that nobody pays for: it is released from here (TS 24.229 §5.4.5.1.2).
func (s *Server) passed(within []*call, out *sip.Request, taken bool) {
	if out.Method != "BYE" {
		return
	}

	for _, c := range within {
		dialog := c.unsure(out, taken)
		if dialog == nil {
			continue
		}

		s.Log.Warn("a BYE did not end its call, which is released", "user", c.public, "call_id", dialog.CallID, "taken", taken)
		s.outcomes.WithLabelValues(c.side.String(), "BYE", "released after a BYE").Inc()
		s.running.Go(func() { c.hangUp(dialog, errHungUp) })
	}
}

var errHungUp = sip.Refuse(480, "the other side has hung up")

// unsure is the dialog of a call that may go on in spite of its BYE; nil: it does not, or is released already.
func (c *call) unsure(bye *sip.Request, taken bool) *sip.ProxyDialog {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.dialog == nil || c.released != nil || taken && c.dialog.Leads(bye, c.server.Stack.Own) {
		return nil
	}

	c.released = errHungUp

	return c.dialog
}
