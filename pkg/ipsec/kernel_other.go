//go:build !linux

package ipsec

import (
	"errors"
	"net/netip"
	"time"
)

// ErrUnsupported is returned on systems other than Linux.
var ErrUnsupported = errors.New("ipsec: only Linux has XFRM")

// Options select the kernel's network namespace, and the program's own sets.
type Options struct {
	Role      Role
	Tag       uint16
	Namespace string
}

// Kernel cannot be opened here.
type Kernel struct{}

// Open always fails.
func Open(Options) (*Kernel, error) { return nil, ErrUnsupported }

// Probe always returns ErrUnsupported as missing.
func Probe(Options) Support { return Support{Missing: ErrUnsupported} }

// Install and the other methods exist for the compiler only: there is no Kernel.
func (*Kernel) Install(Set, time.Duration) error                   { return ErrUnsupported }
func (*Kernel) Prolong(Set, time.Duration) error                   { return ErrUnsupported }
func (*Kernel) Remove(Set) error                                   { return ErrUnsupported }
func (*Kernel) AllocateSPI(netip.Addr, netip.Addr) (uint32, error) { return 0, ErrUnsupported }
func (*Kernel) ReleaseSPI(uint32)                                  {}
func (*Kernel) Guard(netip.Addr, ...uint16) error                  { return ErrUnsupported }
func (*Kernel) Unguard(netip.Addr, ...uint16) error                { return ErrUnsupported }
func (*Kernel) Whole(Set) bool                                     { return false }
func (*Kernel) Reclaim(netip.Addr, func(uint32) bool) (int, error) { return 0, ErrUnsupported }
func (*Kernel) Close() error                                       { return ErrUnsupported }
func (*Kernel) Use(Set) (all [4]Counters, err error)               { return all, ErrUnsupported }
