//go:build !race

package stack_test

const wide = 1
