package aka

import "encoding/binary"

// SQN is a sequence number of 48 bits (TS 33.102 §6.3.1).
type SQN uint64

const sqnMask = 1<<48 - 1

// SQNFromBytes decodes the 6 octets of the wire.
func SQNFromBytes(b [6]byte) SQN {
	var whole [8]byte
	copy(whole[2:], b[:])

	return SQN(binary.BigEndian.Uint64(whole[:]))
}

// Bytes returns the 6 octets of the wire.
func (s SQN) Bytes() (b [6]byte) {
	var whole [8]byte
	binary.BigEndian.PutUint64(whole[:], uint64(s)&sqnMask)
	copy(b[:], whole[2:])

	return b
}

// Scheme defines how sequence numbers are generated and checked (TS 33.102 annex C). SQN is SEQ || IND.
type Scheme struct {
	INDBits uint   // length of IND; 5 on most USIMs
	Delta   uint64 // how far SEQ may jump ahead (C.2.1 a); 0: any distance
	L       uint64 // how old SEQ may be against the newest one (C.2.2); 0: any age
}

// DefaultScheme returns profile 2 of TS 33.102 annex C.3.2 with an IND of 5 bits, which most USIMs use.
func DefaultScheme() Scheme { return Scheme{INDBits: 5, Delta: 1 << 28} }

func (s Scheme) seq(sqn SQN) uint64 { return uint64(sqn) & sqnMask >> s.INDBits }

func (s Scheme) ind(sqn SQN) uint64 { return uint64(sqn) & (1<<s.INDBits - 1) }

// Next returns the sequence number after previous: SEQ plus one, modulo its length, with this IND (annex C.1.2).
func (s Scheme) Next(previous SQN, ind uint64) SQN {
	seq := (s.seq(previous) + 1) & (sqnMask >> s.INDBits)

	return SQN(seq<<s.INDBits | ind&(1<<s.INDBits-1))
}

// Fresh reports whether a received SQN is acceptable, given the SEQ last accepted with each IND (annex C.2.2): it is newer than the
// one with its IND, not too far ahead of the newest, and not too old.
func (s Scheme) Fresh(sqn SQN, accepted []uint64) bool {
	seq, newest := s.seq(sqn), uint64(0)
	for _, a := range accepted {
		newest = max(newest, a)
	}

	switch {
	case seq <= accepted[s.ind(sqn)]:
		return false
	case s.Delta != 0 && seq > newest && seq-newest > s.Delta:
		return false
	case s.L != 0 && newest > seq && newest-seq >= s.L:
		return false
	default:
		return true
	}
}
