package bearer

import (
	"net/netip"

	"github.com/dialtone-ims/dialtone/pkg/ims/access"
)

// place is what was last reported of a UE. It counts as long as the session that reported it is open.
type place struct {
	at access.Info
	by *session
}

// Located handles the report of where the UE of a session is (TS 29.214 §4.4.6.7, TS 29.514 §4.2.5.10); if it is empty, the place that was
// known is not known any more. err says why it cannot be read. It reports whether the session exists.
func (b *Bearers) Located(id string, at access.Info, err error) bool {
	s := b.find(id)
	if s == nil {
		return false
	}

	if err != nil {
		b.log.Warn("the place of a UE cannot be read", "session_id", id, "ue", s.record.Leg.UE, "cause", err)
	}

	b.locate(s, at)

	return true
}

func (b *Bearers) locate(s *session, at access.Info) {
	ue := s.record.Leg.UE.Unmap().WithZone("")

	b.mu.Lock()
	defer b.mu.Unlock()

	if b.open[s.record.Key] != s { // it has ended meanwhile
		return
	}

	if at.Class == "" {
		delete(b.places, ue)
		return
	}

	b.places[ue] = place{at, s}
}

// Place returns where a UE is, as the access network has reported it.
func (b *Bearers) Place(ue netip.Addr) access.Info {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.places[ue.Unmap().WithZone("")].at
}

// unplace forgets what a session that ends has reported. Called with the lock held.
func (b *Bearers) unplace(s *session) {
	ue := s.record.Leg.UE.Unmap().WithZone("")
	if b.places[ue].by == s {
		delete(b.places, ue)
	}
}
