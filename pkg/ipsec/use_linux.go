package ipsec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Use returns the counters of a set.
func (k *Kernel) Use(s Set) (all [4]Counters, err error) {
	for i, a := range s.Associations() {
		if all[i], err = k.use(a); err != nil {
			return all, fmt.Errorf("ipsec: association %s, SPI %#x: %w", a.Name, a.SPI, err)
		}
	}

	return all, nil
}

// use queries the kernel directly, since the library used everywhere else does not read when a state was last used.
func (k *Kernel) use(a Association) (Counters, error) {
	id := &nl.XfrmUsersaId{Family: uint16(nl.GetIPFamily(a.Destination.Addr().AsSlice())), Proto: unix.IPPROTO_ESP, Spi: nl.Swap32(a.SPI)}
	id.Daddr.FromIP(a.Destination.Addr().AsSlice())

	request := nl.NewNetlinkRequest(nl.XFRM_MSG_GETSA, unix.NLM_F_ACK)
	request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_XFRM: k.reading}
	request.AddData(id)

	answers, err := request.Execute(unix.NETLINK_XFRM, nl.XFRM_MSG_NEWSA)
	if err != nil {
		return Counters{}, err
	}

	if len(answers) == 0 {
		return Counters{}, unix.ESRCH
	}

	return counters(a, answers[0])
}

// counters parses the kernel's description of a state (struct xfrm_usersa_info of linux/xfrm.h, and attributes).
func counters(a Association, answer []byte) (Counters, error) {
	if len(answer) < nl.SizeofXfrmUsersaInfo {
		return Counters{}, fmt.Errorf("the kernel's answer has %d octets", len(answer))
	}

	info := nl.DeserializeXfrmUsersaInfo(answer)
	c := Counters{
		Association: a, Packets: info.Curlft.Packets, Octets: info.Curlft.Bytes, Replayed: info.Stats.Replay, Failed: info.Stats.IntegrityFailed,
		FirstUse: moment(info.Curlft.UseTime),
	}

	attributes, err := nl.ParseRouteAttr(answer[nl.SizeofXfrmUsersaInfo:])
	if err != nil {
		return Counters{}, err
	}

	for _, attribute := range attributes {
		if attribute.Attr.Type == nl.XFRMA_LASTUSED && len(attribute.Value) >= 8 {
			c.LastUse = moment(binary.NativeEndian.Uint64(attribute.Value))
		}
	}

	return c, nil
}

// moment returns the time of the kernel's seconds since 1970; 0 is never.
func moment(seconds uint64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}

	return time.Unix(int64(seconds), 0)
}

func openReading(namespace string) (*nl.SocketHandle, error) {
	at := netns.None()

	if namespace != "" {
		var err error
		if at, err = netns.GetFromName(namespace); err != nil {
			return nil, fmt.Errorf("namespace %s: %w", namespace, err)
		}
		defer at.Close()
	}

	socket, err := nl.GetNetlinkSocketAt(at, netns.None(), unix.NETLINK_XFRM)
	if err != nil {
		return nil, err
	}

	err = errors.Join(socket.SetSendTimeout(&nl.SocketTimeoutTv), socket.SetReceiveTimeout(&nl.SocketTimeoutTv))

	return &nl.SocketHandle{Socket: socket}, err
}
