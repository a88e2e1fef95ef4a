package traffic

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// Stream returns the stream of random numbers for one purpose, such as the arrivals of one subscriber. Streams of other purposes, and of
// other seeds, are independent of it.
func Stream(seed uint64, purpose ...any) *rand.Rand {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%v", seed, purpose))

	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16]))) //nolint:gosec // no secrets
}
