package diameter

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// slots are the connections that the node has accepted. A connection whose CER names a configured peer has a reserved place; all others,
// and those without a CER yet, share the rest: no source has more than its share, and the one that has been silent the longest makes
// room.
type slots struct {
	size     int // max_connections
	reserved int // for the configured peers
	share    int // of one source

	mu      sync.Mutex
	waiting []*slot // without CER, the oldest first
	strange map[netip.Addr]int
	taken   int
	unknown int // of them with a CER that names no configured peer
}

// slot is one place.
type slot struct {
	conn   net.Conn
	source netip.Addr
	state  slotState
}

type slotState int

const (
	slotWaiting slotState = iota
	slotUnknown
	slotConfigured
	slotFree
)

func newSlots(size, configured int) *slots {
	return &slots{size: size, reserved: min(configured, size), share: max(1, size/4), strange: map[netip.Addr]int{}}
}

// take returns a place for a connection; nil if there is none, for this source or at all.
func (s *slots) take(conn net.Conn) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()

	taken := &slot{conn: conn, source: addressOf(conn.RemoteAddr()).Addr()}

	switch {
	case s.strange[taken.source] >= s.share:
		return nil
	case s.taken < s.size:
	case len(s.waiting) == 0:
		return nil
	default:
		oldest := s.waiting[0]
		s.vacate(oldest)
		oldest.conn.Close()
	}

	s.taken++
	s.strange[taken.source]++
	s.waiting = append(s.waiting, taken)

	return taken
}

// name records whether the connection is a configured peer's. It reports false if there is no place for one more that is not.
func (s *slots) name(taken *slot, configured bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	switch {
	case taken.state != slotWaiting: // it had to make room
		return false
	case configured:
		s.unwait(taken)
		s.estranged(taken.source)
		taken.state = slotConfigured

		return true
	case s.unknown >= s.size-s.reserved:
		return false
	default:
		s.unwait(taken)
		s.unknown++
		taken.state = slotUnknown

		return true
	}
}

// leave gives the place back.
func (s *slots) leave(taken *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.vacate(taken)
}

func (s *slots) vacate(taken *slot) {
	switch taken.state {
	case slotFree:
		return
	case slotWaiting:
		s.unwait(taken)
		s.estranged(taken.source)
	case slotUnknown:
		s.unknown--
		s.estranged(taken.source)
	}

	taken.state = slotFree
	s.taken--
}

func (s *slots) unwait(taken *slot) {
	if at := slices.Index(s.waiting, taken); at >= 0 {
		s.waiting = slices.Delete(s.waiting, at, at+1)
	}
}

func (s *slots) estranged(source netip.Addr) {
	if s.strange[source]--; s.strange[source] == 0 {
		delete(s.strange, source)
	}
}
