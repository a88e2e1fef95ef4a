//go:build !race

package ifc

const lostToRace = 0
