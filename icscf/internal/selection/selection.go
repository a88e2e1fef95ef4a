// Package selection chooses an S-CSCF for a user from the configured ones (TS 29.228 §6.7, TS 23.228 §5.1.2).
package selection

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// Server is one configured S-CSCF.
type Server struct {
	Name         string   `yaml:"name"`         // its SIP URI, as the HSS stores it
	Capabilities []uint32 `yaml:"capabilities"` // numbers whose meaning the operator defines
	Weight       int      `yaml:"weight"`       // share among equally capable servers; 0 counts as 1
}

// Servers are all S-CSCFs of the network.
type Servers []Server

// Validate returns an error if a server has no name, or appears twice.
func (s Servers) Validate() error {
	seen := map[string]bool{}

	for _, server := range s {
		switch {
		case server.Name == "":
			return fmt.Errorf("scscfs: an S-CSCF has no name")
		case seen[server.Name]:
			return fmt.Errorf("scscfs: %s stands twice", server.Name)
		case server.Weight < 0:
			return fmt.Errorf("scscfs: %s has a negative weight", server.Name)
		}

		seen[server.Name] = true
	}

	return nil
}

// Candidates returns the S-CSCFs that may serve a user, the best first. Those that the HSS names come first in its order; then each
// configured one that has all mandatory capabilities, those with more of the optional ones before those with fewer, equals shuffled by
// weight. Without capabilities every configured S-CSCF may serve.
func (s Servers) Candidates(wanted *cx.Capabilities) []string {
	if wanted == nil {
		wanted = &cx.Capabilities{}
	}

	type candidate struct {
		name     string
		optional int
		draw     float64
	}

	var able []candidate

	for _, server := range s {
		if !has(server.Capabilities, wanted.Mandatory) {
			continue
		}

		able = append(able, candidate{
			name:     server.Name,
			optional: count(server.Capabilities, wanted.Optional),
			draw:     rand.ExpFloat64() / float64(max(1, server.Weight)), // the smallest draw wins in proportion to its weight
		})
	}

	slices.SortFunc(able, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.optional, a.optional), cmp.Compare(a.draw, b.draw))
	})

	names := slices.Clone(wanted.ServerNames)
	for _, c := range able {
		if !slices.Contains(names, c.name) {
			names = append(names, c.name)
		}
	}

	return names
}

func has(offered, mandatory []uint32) bool { return count(offered, mandatory) == len(mandatory) }

func count(offered, wanted []uint32) int {
	n := 0

	for _, capability := range wanted {
		if slices.Contains(offered, capability) {
			n++
		}
	}

	return n
}
