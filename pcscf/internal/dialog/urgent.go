package dialog

import (
	"maps"
	"slices"
)

// spared is how many requests of emergency calls a handset may have beyond its limit of dialogs.
const spared = 8

// most returns how many dialogs a handset may have when this one begins.
func (t *Table) most(d Dialog) int {
	if d.Urgent {
		return t.limit + spared
	}

	return t.limit
}

// urgent counts the dialogs and pending initial requests of emergency calls, by Call-ID and then by the handset's token.
type urgent map[string]map[string]int

func (u urgent) add(k Key) {
	if u[k.CallID] == nil {
		u[k.CallID] = map[string]int{}
	}

	u[k.CallID][k.Token]++
}

func (u urgent) remove(k Key) {
	handsets := u[k.CallID]

	if handsets[k.Token]--; handsets[k.Token] <= 0 {
		delete(handsets, k.Token)
	}

	if len(handsets) == 0 {
		delete(u, k.CallID)
	}
}

// Urgent returns the tokens of the handsets with an emergency call of this Call-ID: mostly one or none.
func (t *Table) Urgent(callID string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()

	if len(t.urgent[callID]) == 0 {
		return nil
	}

	return slices.Collect(maps.Keys(t.urgent[callID]))
}
