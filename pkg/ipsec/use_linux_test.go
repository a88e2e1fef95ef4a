package ipsec

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/vishvananda/netlink/nl"
)

// The counters are parsed from the kernel's description of a state, with the last use where it is reported (Linux 6.2).
func TestCounters(t *testing.T) {
	info := nl.XfrmUsersaInfo{}
	info.Curlft.Packets, info.Curlft.Bytes, info.Curlft.UseTime = 7, 4200, 1_700_000_000
	info.Stats.Replay, info.Stats.IntegrityFailed = 2, 3
	a := Association{Name: "uc-ps", SPI: 300}

	c, err := counters(a, info.Serialize())
	if err != nil || c.Packets != 7 || c.Octets != 4200 || c.Replayed != 2 || c.Failed != 3 ||
		!c.FirstUse.Equal(time.Unix(1_700_000_000, 0)) ||
		!c.LastUse.IsZero() ||
		c.Association != a {
		t.Errorf("%+v, %v", c, err)
	}

	used := binary.NativeEndian.AppendUint64(nil, 1_700_000_060)
	if c, err = counters(a, append(info.Serialize(), nl.NewRtAttr(nl.XFRMA_LASTUSED, used).Serialize()...)); err != nil ||
		!c.LastUse.Equal(time.Unix(1_700_000_060, 0)) {
		t.Errorf("%+v, %v", c, err)
	}

	info.Curlft.UseTime = 0
	if c, err = counters(a, info.Serialize()); err != nil || !c.FirstUse.IsZero() {
		t.Errorf("%+v, %v", c, err)
	}

	for _, cut := range [][]byte{nil, info.Serialize()[:100], append(info.Serialize(), 200, 0, 1, 0)} {
		if c, err := counters(a, cut); err == nil {
			t.Errorf("%d octets are %+v", len(cut), c)
		}
	}
}
