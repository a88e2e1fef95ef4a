//go:build !race

package sip_test

const wide = 1
