package diameter_test

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/test/memory"
)

func TestHostilePeer(t *testing.T) {
	t.Run("answers that nobody asked for, and results without end, cost one counter", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			registry := prometheus.NewRegistry()
			l := net.mustListen(t, addressA)
			n, stop := net.runWith(
				t,
				dialling("a.example", diameter.Peer{Host: "hss.example", Address: addressA}),
				diameter.Options{Metrics: registry},
				nil,
			)
			defer stop()

			r := openRaw(t, "hss.example", l)
			r.answerLIR(r.lir("", ""), "sip:s")
			r.answerLIR(r.lir("", ""), "sip:s")
			synctest.Wait()

			if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP dialtone_diameter_unexpected_answers_total Answers that no request waited for.
# TYPE dialtone_diameter_unexpected_answers_total counter
dialtone_diameter_unexpected_answers_total 2
`), "dialtone_diameter_unexpected_answers_total"); err != nil {
				t.Error(err)
			}

			for i := range 1100 {
				o := call(t, n, t.Context(), "")
				m := diam.NewMessage(302, diam.ProxiableFlag, cx.Application.ID, 0, 0, nil)
				result(uint32(10000 + i))(m)
				r.answer(r.receive(302, true), m)
				<-o
			}
			series, err := testutil.GatherAndCount(registry, "dialtone_diameter_requests_total")
			if err != nil || series > 1030 {
				t.Errorf("%d series, %v", series, err)
			}
			r.conn.Close()
		})
	})

	t.Run("an answer that cannot be read ends the wait at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			l := net.mustListen(t, addressA)
			n, stop := net.run(t, dialling("a.example", diameter.Peer{Host: "hss.example", Address: addressA}), nil)
			defer stop()

			r := openRaw(t, "hss.example", l)
			began := time.Now()
			for _, bad := range []*diam.AVP{
				diam.NewAVP(avp.ResultCode, avp.Mbit, 0, datatype.OctetString("no")), // 2 octets
				diam.NewAVP(601, avp.Mbit|avp.Vbit, 10415, datatype.OctetString("x")),
			} {
				o := call(t, n, t.Context(), "")
				m := diam.NewMessage(302, diam.ProxiableFlag, cx.Application.ID, 0, 0, nil)
				m.AddAVP(bad)
				r.answer(r.receive(302, true), m)
				if got := <-o; got.err == nil && got.answer.Result.Successful() || time.Since(began) != 0 {
					t.Errorf("%+v after %v", got, time.Since(began))
				}
			}
			r.conn.Close()
		})
	})

	t.Run("the context of a procedure ends with the connection", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			ended := make(chan error, 1)
			_, stop := net.run(t, listening("hss.example", addressA), func(n *diameter.Node) {
				diameter.Handle(n, func(ctx context.Context, _ *cx.LIR) (*cx.LIA, error) {
					<-ctx.Done()
					ended <- ctx.Err()
					return nil, ctx.Err()
				})
			})
			defer stop()

			r := net.dialRaw(t, "a.example", addressA)
			r.receive(257, false)
			r.send(r.lir("", "example"))
			synctest.Wait()
			r.conn.Close()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	})

	t.Run("a peer that does not read is left within the request timeout", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			la, lb := net.mustListen(t, addressA), net.mustListen(t, addressB)
			c := dialling("scscf.example", diameter.Peer{Host: "a.example", Address: addressA}, diameter.Peer{Host: "b.example", Address: addressB})
			c.Routes = []diameter.Route{{Peer: "a.example", Metric: 1}, {Peer: "b.example", Metric: 2}}
			n, stop := net.run(t, c, nil)
			defer stop()

			conn, err := la.Accept()
			if err != nil {
				t.Fatal(err)
			}
			stuck := &rawPeer{t: t, host: "a.example", conn: conn}
			d, err := diameter.NewDictionary(cx.Application)
			if err != nil {
				t.Fatal(err)
			}
			cer, _, err := d.Read(conn, 1<<16)
			if err != nil {
				t.Fatal(err)
			}
			stuck.d = d
			stuck.answer(cer, stuck.capabilities(0, result(2001)))
			memory.Stall(conn) // it reads no more
			b := openRaw(t, "b.example", lb)

			began := time.Now()
			first, second := call(t, n, t.Context(), ""), call(t, n, t.Context(), "")
			synctest.Wait()
			if got := <-call(t, n, t.Context(), "b.example"); !errors.Is(got.err, diameter.ErrTimeout) {
				t.Errorf("%+v", got)
			}
			<-first
			<-second
			if d := time.Since(began); d > 6*time.Second {
				t.Errorf("calls to a peer that does not read took %v", d)
			}
			synctest.Wait()
			if s := statusOf(t, n, "a.example"); s.State != "closed" {
				t.Errorf("%+v", s)
			}
			b.conn.Close()
			conn.Close()
		})
	})

	t.Run("what cannot be followed ends the connection, with an answer that says why", func(t *testing.T) {
		for name, test := range map[string]struct {
			change func([]byte)
			result uint32
		}{
			"§7.1.5 version 2: 5011":                 {func(b []byte) { b[0] = 2 }, 5011},
			"§7.1.5 shorter than a header: 5015":     {func(b []byte) { copy(b[1:4], []byte{0, 0, 4}) }, 5015},
			"§3 a length no multiple of four: 5015":  {func(b []byte) { b[3]-- }, 5015},
			"§7.1.5 an AVP longer than all: 5014":    {func(b []byte) { binary.BigEndian.PutUint32(b[24:], uint32(b[24])<<24|0xFFFFFF) }, 5014},
			"§7.1.5 an AVP shorter than its header":  {func(b []byte) { binary.BigEndian.PutUint32(b[24:], uint32(b[24])<<24|3) }, 5014},
			"§7.1.5 a mandatory AVP that is unknown": {func(b []byte) { binary.BigEndian.PutUint32(b[20:], 424242) }, 5001},
		} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					net := newNetwork()
					var served atomic.Int32
					_, stop := net.run(t, listening("hss.example", addressA), serveLIR("sip:s", &served))
					defer stop()

					r := net.dialRaw(t, "a.example", addressA)
					r.receive(257, false)
					raw, err := r.lir("", "example").Serialize()
					if err != nil {
						t.Fatal(err)
					}
					test.change(raw)
					_, _ = r.conn.Write(raw) // the node may have closed the connection after the header

					if got := resultCode(r.receive(302, false)); got != test.result {
						t.Errorf("Result-Code %d, want %d", got, test.result)
					}
					if test.result == 5011 || test.result == 5015 {
						r.ended()
					} else {
						r.send(r.base(280, diam.RequestFlag))
						r.receive(280, false)
						r.conn.Close()
					}

					other := net.dialRaw(t, "b.example", addressA)
					other.receive(257, false)
					other.send(other.lir("", "example"))
					if got := resultCode(other.receive(302, false)); got != 2001 {
						t.Errorf("another peer gets %d", got)
					}
					other.conn.Close()
				})
			})
		}
	})
}
