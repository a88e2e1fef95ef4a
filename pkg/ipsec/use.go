package ipsec

import "time"

// Counters are what went through one association.
type Counters struct {
	Association
	Packets, Octets uint64
	Replayed        uint32    // packets dropped because they had come already
	Failed          uint32    // packets dropped because their integrity was wrong
	FirstUse        time.Time // zero: never
	LastUse         time.Time // zero: never, or the kernel does not say (Linux before 6.2)
}
