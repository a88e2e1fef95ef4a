package ipsec

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Probe finds out what a kernel supports, by installing an association of each suite between two documentation addresses (RFC 5737) and
// removing it again.
func Probe(o Options) Support {
	k, err := Open(o)
	if err != nil {
		return Support{Missing: missing(err)}
	}
	defer k.Close()

	support := Support{Suites: map[Suite]error{}}
	works := false

	for _, suite := range Suites {
		err := k.try(suite)
		support.Suites[suite] = err
		works = works || err == nil

		if why := missing(err); why != nil {
			return Support{Missing: why}
		}
	}

	if !works {
		support.Missing = errors.New("the kernel takes none of the algorithms")
	}

	return support
}

func (k *Kernel) try(suite Suite) error {
	ue, pcscf := netip.MustParseAddr("192.0.2.254"), netip.MustParseAddr("192.0.2.253")

	spi, err := k.AllocateSPI(ue, pcscf)
	if err != nil {
		return err
	}
	defer k.ReleaseSPI(spi)

	s := Set{
		UE:    ue,
		PCSCF: pcscf,
		Suite: suite,
		ReqID: uint32(k.options.Tag) << 16,
		IK:    [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9},
		CK:    [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9},
		Ports: Ports{UEClient: 1, UEServer: 2, PCSCFClient: 3, PCSCFServer: 4},
		SPIs:  SPIs{PCSCFServer: spi},
	}

	transforms, err := Expand(s.Suite, s.IK, s.CK)
	if err != nil {
		return err
	}

	a := s.Associations()[0]
	if err := k.handle.XfrmStateAdd(state(s, a, transforms, 10*time.Second)); err != nil {
		if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("the kernel does not have the algorithm (%w)", err)
		}

		return err
	}

	return k.handle.XfrmStateDel(identity(a))
}

// missing returns in words why no association can be installed, if that is what the error means; else nil.
func missing(err error) error {
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return errors.New("the process lacks CAP_NET_ADMIN: run it as root, or give it the capability " +
			"(setcap cap_net_admin+ep, AmbientCapabilities of systemd, cap_add of a container)")
	case errors.Is(err, unix.EPROTONOSUPPORT):
		return errors.New("the kernel has no XFRM or no ESP: CONFIG_XFRM_USER, CONFIG_INET_ESP and CONFIG_INET6_ESP are needed " +
			"(modprobe xfrm_user esp4 esp6)")
	default:
		return nil
	}
}
