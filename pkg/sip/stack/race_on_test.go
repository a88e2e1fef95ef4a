//go:build race

package stack_test

// wide is how much wider everything is under the race detector, whose goroutines have deeper stacks.
const wide = 2
