//go:build race

package ifc

// lostToRace is how much a run may allocate under the race detector, which makes pools drop items at random.
const lostToRace = 8
