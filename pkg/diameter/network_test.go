package diameter_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// network is a network in memory, so that the test controls time.
type network struct{ *memory.Network }

func newNetwork() *network { return &network{memory.New()} }

func (n *network) Listen(_, address string) (net.Listener, error) {
	return n.Network.Listen(context.Background(), address, false)
}

func (n *network) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	return n.Network.Dial(ctx, netip.MustParseAddrPort("192.0.2.99:0"), netip.MustParseAddrPort(address))
}

// run starts a node on the network; stop ends it and waits for it.
func (n *network) run(t *testing.T, c diameter.Config, prepare func(*diameter.Node)) (node *diameter.Node, stop func()) {
	t.Helper()

	return n.runWith(t, c, diameter.Options{}, prepare)
}

func (n *network) runWith(
	t *testing.T,
	c diameter.Config,
	o diameter.Options,
	prepare func(*diameter.Node),
) (node *diameter.Node, stop func()) {
	t.Helper()

	return n.runAll(t, c, o, prepare, cx.Application)
}

// runFor runs a node with these applications.
func (n *network) runFor(t *testing.T, c diameter.Config, applications ...diameter.Application) (node *diameter.Node, stop func()) {
	t.Helper()

	return n.runAll(t, c, diameter.Options{}, nil, applications...)
}

func (n *network) runAll(
	t *testing.T,
	c diameter.Config,
	o diameter.Options,
	prepare func(*diameter.Node),
	applications ...diameter.Application,
) (node *diameter.Node, stop func()) {
	t.Helper()

	o.Dial, o.Listen = n.Dial, n.Listen

	node, err := diameter.New(c, applications, o)
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(node)
	}

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx) }()

	return node, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// rawPeer speaks Diameter message by message, as the test says.
type rawPeer struct {
	t    *testing.T
	d    *diameter.Dictionary
	host string
	conn net.Conn
	came chan *diameter.Message // closed when the connection ends
}

func newRawPeer(t *testing.T, host string, conn net.Conn) *rawPeer {
	t.Helper()

	r := &rawPeer{t: t, d: dictionary(t), host: host, conn: conn, came: make(chan *diameter.Message, 1000)}
	go func() {
		defer close(r.came)
		for {
			m, _, err := r.d.Read(conn, 1<<16)

			var unknown *diameter.WireError
			if errors.As(err, &unknown) && !unknown.Fatal { // an answer to a command that we made up: read it as another
				binary.BigEndian.PutUint32(unknown.Raw[4:], uint32(unknown.Header.CommandFlags)<<24|302)
				binary.BigEndian.PutUint32(unknown.Raw[8:], cx.Application.ID)
				if m, _, err = r.d.Read(bytes.NewReader(unknown.Raw), 1<<16); err == nil {
					*m.Header = unknown.Header
				}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
					t.Logf("%s: %v", host, err)
				}
				return
			}
			r.came <- m
		}
	}()

	return r
}

// dialRaw connects to a node and sends a CER.
func (n *network) dialRaw(t *testing.T, host, address string, change ...func(*diameter.Message)) *rawPeer {
	t.Helper()

	conn, err := n.Dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}

	r := newRawPeer(t, host, conn)
	r.send(r.capabilities(diam.RequestFlag, change...))

	return r
}

// acceptRaw waits for a node's connection and its CER.
func acceptRaw(t *testing.T, host string, l net.Listener) (*rawPeer, *diameter.Message) {
	t.Helper()

	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}

	r := newRawPeer(t, host, conn)

	return r, r.receive(257, true)
}

func (n *network) mustListen(t *testing.T, address string) net.Listener {
	t.Helper()

	l, err := n.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}

	return l
}

// openRaw accepts a node's connection with a CEA.
func openRaw(t *testing.T, host string, l net.Listener) *rawPeer {
	t.Helper()

	r, cer := acceptRaw(t, host, l)
	r.answer(cer, r.capabilities(0, result(2001)))
	synctest.Wait()

	return r
}

func result(code uint32) func(*diameter.Message) {
	return func(m *diameter.Message) {
		m.AddAVP(diam.NewAVP(avp.ResultCode, avp.Mbit, 0, datatype.Unsigned32(code)))
	}
}

func stateID(id uint32) func(*diameter.Message) {
	return func(m *diameter.Message) {
		m.AddAVP(diam.NewAVP(avp.OriginStateID, avp.Mbit, 0, datatype.Unsigned32(id)))
	}
}

func inband(id uint32) func(*diameter.Message) {
	return func(m *diameter.Message) {
		m.AddAVP(diam.NewAVP(avp.InbandSecurityID, avp.Mbit, 0, datatype.Unsigned32(id)))
	}
}

func without(code uint32) func(*diameter.Message) {
	return func(m *diameter.Message) {
		for i, a := range m.AVP {
			if a.Code == code {
				m.Header.MessageLength -= uint32(a.Len())
				m.AVP = append(m.AVP[:i], m.AVP[i+1:]...)
				return
			}
		}
	}
}

func with(code uint32, data datatype.Type) func(*diameter.Message) {
	return func(m *diameter.Message) {
		without(code)(m)
		m.AddAVP(diam.NewAVP(code, avp.Mbit, 0, data))
	}
}

func (r *rawPeer) base(code uint32, flags uint8) *diameter.Message {
	m := diam.NewMessage(code, flags, 0, 1, 1, nil)
	m.AddAVP(diam.NewAVP(avp.OriginHost, avp.Mbit, 0, datatype.DiameterIdentity(r.host)))
	m.AddAVP(diam.NewAVP(avp.OriginRealm, avp.Mbit, 0, datatype.DiameterIdentity("example")))

	return m
}

func (r *rawPeer) capabilities(flags uint8, change ...func(*diameter.Message)) *diameter.Message {
	m := r.base(257, flags)
	m.AddAVP(diam.NewAVP(avp.HostIPAddress, avp.Mbit, 0, datatype.Address(net.IPv4(192, 0, 2, 7).To4())))
	m.AddAVP(diam.NewAVP(avp.VendorID, avp.Mbit, 0, datatype.Unsigned32(0)))
	m.AddAVP(diam.NewAVP(avp.ProductName, 0, 0, datatype.UTF8String("raw")))
	m.AddAVP(diam.NewAVP(avp.VendorSpecificApplicationID, avp.Mbit, 0, &diam.GroupedAVP{AVP: []*diam.AVP{
		diam.NewAVP(avp.VendorID, avp.Mbit, 0, datatype.Unsigned32(10415)),
		diam.NewAVP(avp.AuthApplicationID, avp.Mbit, 0, datatype.Unsigned32(cx.Application.ID)),
	}}))

	for _, c := range change {
		c(m)
	}

	return m
}

func (r *rawPeer) send(m *diameter.Message) {
	r.t.Helper()

	raw, err := m.Serialize()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.conn.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.conn.Write(raw); err != nil {
		r.t.Fatalf("%s cannot send command %d: %v", r.host, m.Header.CommandCode, err)
	}
}

func (r *rawPeer) answer(request, answer *diameter.Message) {
	r.t.Helper()

	answer.Header.HopByHopID, answer.Header.EndToEndID = request.Header.HopByHopID, request.Header.EndToEndID
	r.send(answer)
}

func (r *rawPeer) answerBase(request *diameter.Message) {
	r.t.Helper()

	m := r.base(request.Header.CommandCode, 0)
	result(2001)(m)
	r.answer(request, m)
}

func (r *rawPeer) answerLIR(request *diameter.Message, server string) {
	r.t.Helper()

	lia := &cx.LIA{ServerName: server}
	lia.SessionID, lia.Result, lia.OriginHost, lia.OriginRealm = "s", cx.Success, r.host, "example"

	m, err := r.d.Encode(lia)
	if err != nil {
		r.t.Fatal(err)
	}
	r.answer(request, m)
}

// lir returns a request to the node.
func (r *rawPeer) lir(host, realm string) *diameter.Message {
	q := &cx.LIR{PublicIdentity: "sip:a"}
	q.SessionID, q.OriginHost, q.OriginRealm, q.DestinationHost, q.DestinationRealm = "s;1", r.host, "example", host, realm

	m, err := r.d.Encode(q)
	if err != nil {
		r.t.Fatal(err)
	}
	m.Header.HopByHopID, m.Header.EndToEndID = 77, 78

	return m
}

// receive returns the next message, which must be this one.
func (r *rawPeer) receive(code uint32, request bool) *diameter.Message {
	r.t.Helper()

	select {
	case m, ok := <-r.came:
		if !ok {
			r.t.Fatalf("%s: the connection ended, want command %d", r.host, code)
		}
		if m.Header.CommandCode != code || (m.Header.CommandFlags&diam.RequestFlag != 0) != request {
			r.t.Fatalf(
				"%s: got command %d flags %02x, want command %d (request: %v)",
				r.host,
				m.Header.CommandCode,
				m.Header.CommandFlags,
				code,
				request,
			)
		}
		return m
	case <-time.After(10 * time.Minute):
		r.t.Fatalf("%s: command %d does not come", r.host, code)
		return nil
	}
}

// receiveAlive answers the watchdog until this request comes.
func (r *rawPeer) receiveAlive(code uint32) *diameter.Message {
	r.t.Helper()

	for m := range r.came {
		if m.Header.CommandCode == code {
			return m
		}
		r.answerBase(m)
	}

	r.t.Fatalf("%s: the connection ended, want command %d", r.host, code)
	return nil
}

// ended waits for the end of the connection; nothing may come before it.
func (r *rawPeer) ended() {
	r.t.Helper()

	select {
	case m, ok := <-r.came:
		if ok {
			r.t.Fatalf("%s: got command %d flags %02x, want the end of the connection", r.host, m.Header.CommandCode, m.Header.CommandFlags)
		}
	case <-time.After(10 * time.Minute):
		r.t.Fatalf("%s: the connection does not end", r.host)
	}
	r.conn.Close()
}

// quiet returns an error if anything came.
func (r *rawPeer) quiet() {
	r.t.Helper()

	select {
	case m, ok := <-r.came:
		if !ok {
			r.t.Fatalf("%s: the connection ended", r.host)
		}
		r.t.Fatalf("%s: unexpected command %d flags %02x", r.host, m.Header.CommandCode, m.Header.CommandFlags)
	default:
	}
}

func resultCode(m *diameter.Message) uint32 {
	for _, a := range m.AVP {
		if a.Code == avp.ResultCode {
			return uint32(a.Data.(datatype.Unsigned32))
		}
	}

	return 0
}
