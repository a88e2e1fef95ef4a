//go:build race

package ifc

// lostToRace is how much a run may allocate under the race detector, which lets pools lose what they hold at random.
const lostToRace = 8
