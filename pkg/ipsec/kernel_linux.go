package ipsec

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Options select the kernel's network namespace, and the program's own sets.
type Options struct {
	Role Role
	// Tag is the upper 16 bits of the ReqID of this program's sets; all other sets are left alone.
	Tag       uint16
	Namespace string // a named network namespace; "": the process's own
}

// Kernel is Linux's XFRM in one network namespace. Its methods may be called from any goroutine.
type Kernel struct {
	options Options
	handle  *netlink.Handle
	reading *nl.SocketHandle // for attributes that the library does not read

	mu   sync.Mutex
	spis map[uint32]struct{} // reserved here
}

const (
	setPriority   = 100
	guardPriority = 0x0d1a1000 // high means late; the number identifies our policies
	replayWindow  = 32         // packets, the least of RFC 4303 §3.4.3
	firstSPI      = 256        // RFC 4303 §2.1
)

// Open opens the kernel's XFRM. The error states what is missing.
func Open(o Options) (*Kernel, error) {
	handle, err := open(o.Namespace)
	if err != nil {
		return nil, fmt.Errorf("ipsec: %w", err)
	}

	reading, err := openReading(o.Namespace)
	if err != nil {
		handle.Close()
		return nil, fmt.Errorf("ipsec: %w", err)
	}

	return &Kernel{options: o, handle: handle, reading: reading, spis: map[uint32]struct{}{}}, nil
}

func open(namespace string) (*netlink.Handle, error) {
	if namespace == "" {
		return netlink.NewHandle(unix.NETLINK_XFRM)
	}

	ns, err := netns.GetFromName(namespace)
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", namespace, err)
	}
	defer ns.Close()

	return netlink.NewHandleAt(ns, unix.NETLINK_XFRM)
}

// Close closes the kernel's socket. Security associations stay.
func (k *Kernel) Close() error {
	k.handle.Close()
	k.reading.Close()

	return nil
}

// Install installs the states and policies of a set, all or none. The kernel removes the states by itself after their lifetime.
func (k *Kernel) Install(s Set, lifetime time.Duration) (err error) {
	transforms, err := Expand(s.Suite, s.IK, s.CK)
	if err != nil {
		return err
	}

	defer func() {
		if err != nil {
			err = errors.Join(err, k.Remove(s))
		}
	}()

	for _, a := range s.Associations() { // before the policies: a policy without a state drops what it selects
		if err := k.handle.XfrmStateAdd(state(s, a, transforms, lifetime)); err != nil {
			return fmt.Errorf("ipsec: association %s, SPI %#x: %w", a.Name, a.SPI, err)
		}
	}

	for _, a := range s.Associations() {
		if err := k.handle.XfrmPolicyAdd(k.policy(s, a)); err != nil {
			return fmt.Errorf("ipsec: policy %s: %w", a.Name, err)
		}
	}

	return nil
}

func state(s Set, a Association, t transforms, lifetime time.Duration) *netlink.XfrmState {
	x := &netlink.XfrmState{
		Src: a.Source.Addr().AsSlice(), Dst: a.Destination.Addr().AsSlice(), Proto: netlink.XFRM_PROTO_ESP, Mode: netlink.XFRM_MODE_TRANSPORT,
		Spi: int(a.SPI), Reqid: int(s.ReqID), ReplayWindow: replayWindow,
		Limits: limits(lifetime), Selector: selector(a), // with ports: packets from another port inside ESP are refused
	}

	if t.AEAD != nil {
		x.Aead = &netlink.XfrmStateAlgo{Name: t.AEAD.Name, Key: t.AEAD.Key, ICVLen: t.AEAD.Length}
		return x
	}

	x.Auth = &netlink.XfrmStateAlgo{Name: t.Integrity.Name, Key: t.Integrity.Key, TruncateLen: t.Integrity.Length}
	x.Crypt = &netlink.XfrmStateAlgo{Name: t.Encryption.Name, Key: t.Encryption.Key}

	return x
}

func limits(lifetime time.Duration) netlink.XfrmStateLimits {
	return netlink.XfrmStateLimits{TimeHard: uint64((lifetime + time.Second - 1) / time.Second)}
}

// selector returns a selector without a protocol: the kernel compares the ports of any protocol with ports, so that one policy is enough
// for UDP and TCP.
func selector(a Association) *netlink.XfrmPolicy {
	return &netlink.XfrmPolicy{
		Src: host(a.Source.Addr()), Dst: host(a.Destination.Addr()), SrcPort: int(a.Source.Port()), DstPort: int(a.Destination.Port()),
	}
}

func host(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}

func (k *Kernel) policy(s Set, a Association) *netlink.XfrmPolicy {
	p := selector(a)
	p.Priority = setPriority
	p.Dir = netlink.XFRM_DIR_IN

	if a.From == k.options.Role {
		p.Dir = netlink.XFRM_DIR_OUT
	}

	p.Tmpls = []netlink.XfrmPolicyTmpl{{
		Src: a.Source.Addr().AsSlice(), Dst: a.Destination.Addr().AsSlice(), Proto: netlink.XFRM_PROTO_ESP, Mode: netlink.XFRM_MODE_TRANSPORT,
		Spi: int(a.SPI), Reqid: int(s.ReqID),
	}}

	return p
}

// Prolong makes a set live for this time from now. The keys need not be in s.
func (k *Kernel) Prolong(s Set, remaining time.Duration) error {
	for _, a := range s.Associations() {
		x, err := k.handle.XfrmStateGet(identity(a))
		if err != nil {
			return fmt.Errorf("ipsec: association %s, SPI %#x: %w", a.Name, a.SPI, err)
		}

		// The kernel counts from the creation of the state, which an update does not change.
		age := time.Since(time.Unix(int64(x.Statistics.AddTime), 0))
		x.Limits, x.Replay = limits(remaining+max(0, age)), nil

		if err := k.handle.XfrmStateUpdate(x); err != nil {
			return fmt.Errorf("ipsec: association %s, SPI %#x: %w", a.Name, a.SPI, err)
		}
	}

	return nil
}

func identity(a Association) *netlink.XfrmState {
	return &netlink.XfrmState{
		Src:   a.Source.Addr().AsSlice(),
		Dst:   a.Destination.Addr().AsSlice(),
		Proto: netlink.XFRM_PROTO_ESP,
		Mode:  netlink.XFRM_MODE_TRANSPORT,
		Spi:   int(a.SPI),
	}
}

// Remove removes a set from the kernel. A missing set is no error.
func (k *Kernel) Remove(s Set) error {
	var failed error

	for _, a := range s.Associations() { // policies first
		failed = errors.Join(failed, unlessGone(k.handle.XfrmPolicyDel(k.policy(s, a))))
	}

	for _, a := range s.Associations() {
		failed = errors.Join(failed, unlessGone(k.handle.XfrmStateDel(identity(a))))
	}

	if failed != nil {
		return fmt.Errorf("ipsec: %w", failed)
	}

	return nil
}

func unlessGone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return nil
	}

	return err
}

// AllocateSPI allocates an SPI for packets from one address to another: one that no association to that address has, here or in the kernel.
func (k *Kernel) AllocateSPI(from, to netip.Addr) (uint32, error) {
	const tries = 100

	for range tries {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails

		spi := binary.BigEndian.Uint32(b[:])
		if spi < firstSPI {
			continue
		}

		if k.reserve(spi) {
			_, err := k.handle.XfrmStateGet(&netlink.XfrmState{
				Src: from.AsSlice(), Dst: to.AsSlice(), Proto: netlink.XFRM_PROTO_ESP, Mode: netlink.XFRM_MODE_TRANSPORT, Spi: int(spi),
			})

			switch {
			case errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT):
				return spi, nil
			case err != nil:
				k.ReleaseSPI(spi)
				return 0, fmt.Errorf("ipsec: SPI: %w", err)
			}

			k.ReleaseSPI(spi)
		}
	}

	return 0, errors.New("ipsec: no SPI is free")
}

func (k *Kernel) reserve(spi uint32) bool {
	k.mu.Lock()
	defer k.mu.Unlock()

	if _, taken := k.spis[spi]; taken {
		return false
	}

	k.spis[spi] = struct{}{}

	return true
}

// ReleaseSPI releases an SPI.
func (k *Kernel) ReleaseSPI(spi uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()

	delete(k.spis, spi)
}

// Guard makes the kernel drop what comes to these ports, or leaves from them, outside all associations: a policy for each, after those of
// all sets.
func (k *Kernel) Guard(local netip.Addr, ports ...uint16) error {
	for _, p := range guards(local, ports) {
		if err := k.handle.XfrmPolicyAdd(p); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("ipsec: guard of %s: %w", local, err)
		}
	}

	return nil
}

// Unguard removes the policies of Guard.
func (k *Kernel) Unguard(local netip.Addr, ports ...uint16) error {
	var failed error
	for _, p := range guards(local, ports) {
		failed = errors.Join(failed, unlessGone(k.handle.XfrmPolicyDel(p)))
	}

	if failed != nil {
		return fmt.Errorf("ipsec: guard of %s: %w", local, failed)
	}

	return nil
}

func guards(local netip.Addr, ports []uint16) []*netlink.XfrmPolicy {
	anybody := &net.IPNet{IP: make(net.IP, local.BitLen()/8), Mask: net.CIDRMask(0, local.BitLen())}

	var all []*netlink.XfrmPolicy

	for _, port := range ports {
		all = append(all,
			&netlink.XfrmPolicy{
				Src:      anybody,
				Dst:      host(local),
				DstPort:  int(port),
				Dir:      netlink.XFRM_DIR_IN,
				Priority: guardPriority,
				Action:   netlink.XFRM_POLICY_BLOCK,
			},
			&netlink.XfrmPolicy{
				Src: host(
					local,
				), Dst: anybody, SrcPort: int(port), Dir: netlink.XFRM_DIR_OUT, Priority: guardPriority, Action: netlink.XFRM_POLICY_BLOCK,
			})
	}

	return all
}

// Whole reports whether all states and policies of a set are in the kernel. The keys need not be in s.
func (k *Kernel) Whole(s Set) bool {
	for _, a := range s.Associations() {
		x, err := k.handle.XfrmStateGet(identity(a))
		if err != nil || x.Reqid != int(s.ReqID) || x.Selector == nil ||
			x.Selector.SrcPort != int(a.Source.Port()) || x.Selector.DstPort != int(a.Destination.Port()) {
			return false
		}

		p, err := k.handle.XfrmPolicyGet(k.policy(s, a))
		if err != nil || len(p.Tmpls) != 1 || p.Tmpls[0].Reqid != int(s.ReqID) {
			return false
		}
	}

	return true
}

// Reclaim removes this program's sets and guards at a local address, except the sets whose ReqIDs keep selects, and returns the number of
// states removed. What is not this program's stays.
func (k *Kernel) Reclaim(local netip.Addr, keep func(reqID uint32) bool) (states int, err error) {
	policies, err := k.handle.XfrmPolicyList(netlink.FAMILY_ALL)
	if err != nil {
		return 0, fmt.Errorf("ipsec: %w", err)
	}

	var failed error

	for _, p := range policies {
		if k.ours(&p, local, keep) {
			failed = errors.Join(failed, unlessGone(k.handle.XfrmPolicyDel(&p)))
		}
	}

	all, err := k.handle.XfrmStateList(netlink.FAMILY_ALL)
	if err != nil {
		return 0, fmt.Errorf("ipsec: %w", errors.Join(failed, err))
	}

	for _, x := range all {
		if x.Proto == netlink.XFRM_PROTO_ESP && (is(x.Src, local) || is(x.Dst, local)) && k.tagged(x.Reqid) && !keep(uint32(x.Reqid)) {
			states++
			failed = errors.Join(failed, unlessGone(k.handle.XfrmStateDel(&netlink.XfrmState{
				Src: x.Src, Dst: x.Dst, Proto: x.Proto, Mode: x.Mode, Spi: x.Spi,
			})))
		}
	}

	if failed != nil {
		return states, fmt.Errorf("ipsec: %w", failed)
	}

	return states, nil
}

func (k *Kernel) ours(p *netlink.XfrmPolicy, local netip.Addr, keep func(uint32) bool) bool {
	if p.Src == nil || p.Dst == nil || !is(p.Src.IP, local) && !is(p.Dst.IP, local) {
		return false
	}

	if len(p.Tmpls) == 0 {
		return p.Priority == guardPriority && p.Action == netlink.XFRM_POLICY_BLOCK
	}

	return k.tagged(p.Tmpls[0].Reqid) && !keep(uint32(p.Tmpls[0].Reqid))
}

func (k *Kernel) tagged(reqID int) bool { return uint32(reqID)>>16 == uint32(k.options.Tag) }

func is(ip net.IP, a netip.Addr) bool {
	other, ok := netip.AddrFromSlice(ip)
	return ok && other.Unmap() == a
}
