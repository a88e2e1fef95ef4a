package aka

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"sync"
)

// ErrMAC is the SIM's verdict on a challenge that its home network did not make.
var ErrMAC = errors.New("MAC is wrong: K or OPc differ between SIM and HSS")

// SyncFailure is the SIM's verdict on a challenge whose SQN is not fresh.
type SyncFailure struct {
	AUTS [14]byte
	SQN  SQN // the stale one
}

func (e *SyncFailure) Error() string { return fmt.Sprintf("SQN %d is not fresh", e.SQN) }

// Result is the SIM's answer to a challenge that it accepts.
type Result struct {
	RES []byte
	CK  [16]byte
	IK  [16]byte
}

// SIM is the application on the card. It checks AUTN, remembers the sequence numbers that it accepted, and computes the answer.
type SIM struct {
	algorithm Algorithm
	scheme    Scheme

	mu       sync.Mutex
	accepted []uint64 // SEQ by IND
	highest  SQN
}

// NewSIM returns a SIM that has accepted no sequence number yet.
func NewSIM(a Algorithm, s Scheme) *SIM {
	return &SIM{algorithm: a, scheme: s, accepted: make([]uint64, 1<<s.INDBits)}
}

// SetSQN sets the SIM's state as if it had accepted this SQN, and its SEQ with every IND.
func (s *SIM) SetSQN(sqn SQN) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for i := range s.accepted {
		s.accepted[i] = s.scheme.seq(sqn)
	}

	s.highest = sqn
}

// SQN returns SQN_MS, the highest sequence number that the SIM has accepted.
func (s *SIM) SQN() SQN {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.highest
}

// Authenticate runs the AUTHENTICATE command (TS 31.102 §7.1.2, TS 33.102 §6.3.3). The error is ErrMAC or a *SyncFailure.
func (s *SIM) Authenticate(rand, autn [16]byte) (Result, error) {
	res, ck, ik, ak := s.algorithm.F2345(rand)

	var concealed [6]byte
	subtle.XORBytes(concealed[:], autn[:6], ak[:])

	sqn, amf := SQNFromBytes(concealed), [2]byte(autn[6:8])
	mac := s.algorithm.F1(rand, sqn, amf)

	if subtle.ConstantTimeCompare(mac[:], autn[8:]) != 1 {
		return Result{}, ErrMAC
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	if !s.scheme.Fresh(sqn, s.accepted) {
		return Result{}, s.syncFailure(rand, sqn)
	}

	s.accepted[s.scheme.ind(sqn)] = s.scheme.seq(sqn)
	s.highest = max(s.highest, sqn)

	return Result{RES: res, CK: ck, IK: ik}, nil
}

func (s *SIM) syncFailure(rand [16]byte, stale SQN) *SyncFailure {
	failure := &SyncFailure{SQN: stale}
	ak, own := s.algorithm.F5Star(rand), s.highest.Bytes()
	mac := s.algorithm.F1Star(rand, s.highest, [2]byte{})

	subtle.XORBytes(failure.AUTS[:6], own[:], ak[:])
	copy(failure.AUTS[6:], mac[:])

	return failure
}
