package diameter

import (
	"slices"
	"strings"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
)

// identities are the AVPs that some nodes repeat in a request: Kamailio puts its own in front of those that a message has.
var identities = [...]uint32{avp.OriginHost, avp.OriginRealm}

// unrepeat removes from a request AVPs that repeat the sender's identity in the same words, and reports whether there were any. A
// repetition breaks the grammar of the command but leaves no doubt; one in other words stays, for the decoder to refuse (5009).
func unrepeat(m *Message) (repeated bool) {
	for _, code := range identities {
		first := slices.IndexFunc(m.AVP, func(a *diam.AVP) bool { return a.Code == code && a.VendorID == 0 })
		if first < 0 {
			continue
		}

		name, _ := m.AVP[first].Data.(datatype.DiameterIdentity)
		kept := first + 1

		for _, a := range m.AVP[first+1:] {
			if a.Code == code && a.VendorID == 0 {
				if again, _ := a.Data.(datatype.DiameterIdentity); strings.EqualFold(string(again), string(name)) {
					repeated = true
					continue
				}
			}

			m.AVP[kept] = a
			kept++
		}

		m.AVP = m.AVP[:kept]
	}

	return repeated
}
