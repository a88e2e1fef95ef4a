package ipsec

import "time"

// Counters are those of one association.
type Counters struct {
	Association
	Packets, Octets uint64
	Replayed        uint32    // packets dropped as already received
	Failed          uint32    // packets dropped for wrong integrity
	FirstUse        time.Time // zero: never
	LastUse         time.Time // zero: never, or not reported (Linux before 6.2)
}
