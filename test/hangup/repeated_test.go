package hangup

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// hardOfHearing is a machine whose datagrams do not arrive as long as it is said so.
type hardOfHearing struct {
	stack.Machine
	atomic.Bool
	arrived atomic.Int64 // datagrams
}

func (d *hardOfHearing) ListenPacket(ctx context.Context, address string) (stack.PacketConn, error) {
	c, err := d.Machine.ListenPacket(ctx, address)
	return hardOfHearingConn{c, d}, err
}

type hardOfHearingConn struct {
	stack.PacketConn
	machine *hardOfHearing
}

func (c hardOfHearingConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := c.PacketConn.ReadFromUDPAddrPort(b)
		if err != nil || !c.machine.Load() {
			c.machine.arrived.Add(1)
			return n, from, err
		}
	}
}

// TestPCSCFKilledInAnInvite: the P-CSCF is killed when the INVITE has passed it and nothing has come back to the caller, whose handset
// sends it again, to the P-CSCF that was started in its place. The callee has one call, and the caller pays for one, which goes on.
func TestPCSCFKilledInAnInvite(t *testing.T) {
	data := "DIALTONE_PCSCF_DATA=" + t.TempDir()
	n := network.Start(t, data)

	const rings, heard, answered = "it rings", "the caller has heard it ring", "it is answered before the INVITE comes again"

	for _, moment := range []string{rings, heard, answered} {
		t.Run(moment, func(t *testing.T) {
			away := &hardOfHearing{}
			k := &talk{n: n, a: n.Subscribe(1000, ""), b: n.Subscribe(0, ""), began: time.Now()}
			k.caller, k.callee = n.Registered(k.a, func(c *handset.Config) { c.Network = away }), n.Registered(k.b, nil)

			away.Store(moment != heard)
			registered := away.arrived.Load()
			type dialled struct {
				call *handset.Call
				err  error
			}
			done := make(chan dialled, 1)
			go func() {
				call, err := k.caller.Dial(n.Context(), k.b.Tel())
				done <- dialled{call, err}
			}()
			k.other = <-k.callee.Incoming()

			if moment == heard {
				n.Await("the caller to hear it ring", func() bool { return away.arrived.Load() > registered }) // 180
			}

			const (
				success = `dialtone_scscf_requests_total{case="originating",method="INVITE",outcome="2`
				again   = `dialtone_sip_retransmissions_total{direction="received",endpoint="Mw"}`
			)
			before, repeated := counted(n, success), counted(n, again)

			n.Kill("pcscf")
			n.Run("pcscf", data)
			took := make(chan error, 1)
			answer := func() { took <- k.other.Answer(n.Context()) }

			switch moment {
			case heard:
				go answer()
			case answered:
				go answer()
				n.Await("the answer to reach the S-CSCF", func() bool { return counted(n, success) > before })
				away.Store(false)
			case rings:
				away.Store(false)
				n.Await("the INVITE to come again", func() bool { return counted(n, again) > repeated })
				go answer()
			}

			d := <-done
			if d.err != nil {
				t.Fatalf("the call: %v", d.err)
			}
			if err := <-took; err != nil {
				t.Errorf("the callee's answer: %v", err)
			}
			k.call = d.call
			select {
			case <-k.callee.Incoming():
				t.Error("a second call comes")
			default:
			}

			var open []struct {
				ID string `json:"id"`
			}
			n.OCS("GET", "/sessions?account="+k.a.Name, nil, &open)
			if len(open) != 1 {
				t.Errorf("%d charging sessions, want one", len(open))
			}
			if err := k.call.HangUp(t.Context()); err != nil {
				t.Error(err)
			}
			<-k.other.Ended()
			k.settled(t, 1000, soon)

			var records []struct{ Amount int64 }
			n.OCS("GET", "/cdrs?account="+k.a.Name, nil, &records)
			if len(records) != 1 {
				t.Errorf("%d records, want one", len(records))
			}
		})
	}
}

// counted is the sum of the S-CSCF's counters that begin so.
func counted(n *network.Network, name string) (sum float64) {
	for line := range strings.Lines(n.Metrics("scscf")) {
		if value, found := strings.CutPrefix(line, name); found {
			number, _ := strconv.ParseFloat(strings.TrimSpace(value[strings.LastIndex(value, " ")+1:]), 64)
			sum += number
		}
	}

	return sum
}
