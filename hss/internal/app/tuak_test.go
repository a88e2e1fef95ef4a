package app

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// TS 35.231 §5: the operator chooses the length of RES, of K, and the iterations. The SIM has the same; MAC-A and MAC-S, and so
// AUTN and AUTS, have the lengths of TS 33.102 §6.3 whatever is chosen.
func TestTUAK(t *testing.T) {
	h := start(t, settings(t))
	scscf := connect(t, h, "scscf")
	key, top := bytes.Repeat([]byte{0x42}, 32), bytes.Repeat([]byte{0x55}, 32)
	number := 0

	for _, length := range []int{16, 32} {
		for _, res := range []int{0, 4, 8, 16, 32} {
			for _, keccak := range []int{0, 3} {
				t.Run(fmt.Sprintf("K of %d octets, RES of %d, %d iterations", length, res, keccak), func(t *testing.T) {
					number++
					private := h.add(fmt.Sprintf("0010100000%05d", number), fmt.Sprintf("1555%04d", number), func(n *provisioning.NewSubscriber) {
						n.Authentication = provisioning.Authentication{
							Algorithm: subscriber.TUAK, K: hex.EncodeToString(key[:length]), OP: hex.EncodeToString(top), RES: res, Keccak: keccak,
						}
					})
					octets, iterations := max(res, 8), max(keccak, 1)
					if res == 4 {
						octets = 4
					}
					topc := aka.TOPc(key[:length], [32]byte(top), iterations)
					sim := aka.NewSIM(aka.NewTUAK(key[:length], topc, octets, iterations), aka.DefaultScheme())
					there := &peer{T: t, Node: scscf.Node}

					item := there.mar(private, "sip:"+private, scscfURI).AuthDataItems[0]
					result, err := sim.Authenticate([16]byte(item.Authenticate[:16]), [16]byte(item.Authenticate[16:]))
					if err != nil || !bytes.Equal(result.RES, item.Authorization) || len(item.Authorization) != octets {
						t.Fatalf("the SIM gives %x, %v; the HSS expects %x", result.RES, err, item.Authorization)
					}

					sim.SetSQN(1 << 30) // as after use with another HSS
					item = there.mar(private, "sip:"+private, scscfURI).AuthDataItems[0]
					var stale *aka.SyncFailure
					if _, err := sim.Authenticate([16]byte(item.Authenticate[:16]), [16]byte(item.Authenticate[16:])); !errors.As(err, &stale) {
						t.Fatalf("an old sequence number: %v", err)
					}
					a := there.mar(private, "sip:"+private, scscfURI, func(q *cx.MAR) {
						q.AuthDataItem.Authorization = append(bytes.Clone(item.Authenticate[:16]), stale.AUTS[:]...)
					})
					want(t, "resynchronisation", a.Result, cx.Success)
					accept(t, sim, a)
				})
			}
		}
	}

	for name, a := range map[string]provisioning.Authentication{
		"4, 8, 16 or 32":    {Algorithm: subscriber.TUAK, K: k, OPc: opc + opc, RES: 5},
		"1 to 255":          {Algorithm: subscriber.TUAK, K: k, OPc: opc + opc, Keccak: 256},
		"only TUAK":         {K: k, OPc: opc, RES: 8},
		"only TUAK ":        {K: k, OPc: opc, Keccak: 2},
		"TOP or TOPc of 32": {Algorithm: subscriber.TUAK, K: k, OPc: opc},
		"K of 16 or 32":     {Algorithm: subscriber.TUAK, K: k + k[:2], OPc: opc + opc},
	} {
		err := h.Do(
			t.Context(),
			"POST",
			"/subscribers",
			provisioning.NewSubscriber{IMSI: "001019999999999", MSISDN: "19999999", Authentication: a},
			nil,
		)
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(name)) {
			t.Errorf("%+v: %v, want %q", a, err, name)
		}
	}
}
