package diameter_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fiorix/go-diameter/v4/diam"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// TestCallsWhileConnectionsBreak: connections break all the time under many calls: every call ends, with its own answer or with a correct
// error.
func TestCallsWhileConnectionsBreak(t *testing.T) {
	var served atomic.Int32
	a, b := start(t, server("a.example"), serveLIR("sip:s", &served)), start(t, server("b.example"), serveLIR("sip:s", &served))

	var mu sync.Mutex
	var conns []net.Conn

	c := client(
		"scscf.example",
		diameter.Peer{
			Host:    "a.example",
			Address: a.Addresses()[0].String(),
		},
		diameter.Peer{Host: "b.example", Address: b.Addresses()[0].String()},
	)
	c.ReconnectMax = 10 * time.Millisecond
	n, err := diameter.New(c, []diameter.Application{cx.Application}, diameter.Options{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err == nil {
				mu.Lock()
				conns = append(conns, conn)
				mu.Unlock()
			}
			return conn, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	await(t, "a connection", func() bool { return n.Ready() == nil })

	var breaker, callers sync.WaitGroup
	over := make(chan struct{})
	breaker.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
				mu.Lock()
				if len(conns) > 0 {
					conns[0].Close()
					conns = conns[1:]
				}
				mu.Unlock()
			}
		}
	})

	var answered, unroutable atomic.Int32
	for range 16 {
		callers.Go(func() {
			for range 500 {
				who, want := "sip:a", cx.Success
				if answered.Load()%2 == 0 {
					who, want = "sip:nobody", cx.ErrorUserUnknown
				}
				answer, err := diameter.Call[cx.LIA](ctx, n, &cx.LIR{PublicIdentity: who})
				switch {
				case errors.Is(err, diameter.ErrUnroutable):
					unroutable.Add(1)
					for ready := time.NewTicker(time.Millisecond); n.Ready() != nil; <-ready.C {
						if ctx.Err() != nil {
							return
						}
					}
				case err != nil:
					t.Error(err)
				case answer.Result != want:
					t.Errorf("%s got the answer %v", who, answer.Result)
				default:
					answered.Add(1)
				}
			}
		})
	}

	stuck := time.AfterFunc(30*time.Second, cancel)
	callers.Wait()
	stuck.Stop()
	close(over)
	breaker.Wait()
	// How many find a connection depends on the machine; that each ends in one of the two ways depends on us.
	if answered.Load() == 0 || answered.Load()+unroutable.Load() != 16*500 {
		t.Errorf("%d answered, %d unroutable", answered.Load(), unroutable.Load())
	}
	t.Logf("%d answered, %d unroutable, %d served", answered.Load(), unroutable.Load(), served.Load())

	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// FuzzConnection: octets from a peer, before or after its CER, end at worst its own connection.
func FuzzConnection(f *testing.F) {
	d, err := diameter.NewDictionary(cx.Application)
	if err != nil {
		f.Fatal(err)
	}
	raw := &rawPeer{host: "fuzz.example", d: d}

	cer, err := raw.capabilities(diam.RequestFlag).Serialize()
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range []*diameter.Message{
		raw.base(280, diam.RequestFlag),
		raw.base(280, 0),
		raw.base(282, diam.RequestFlag),
		raw.base(282, 0),
		raw.base(257, 0),
		raw.base(275, diam.RequestFlag),
	} {
		seed, err := m.Serialize()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(true, seed)
		f.Add(false, seed)
	}
	f.Add(false, cer)
	f.Add(true, cer)
	lir := &cx.LIR{PublicIdentity: "sip:a"}
	lir.SessionID, lir.OriginHost, lir.OriginRealm, lir.DestinationRealm = "s", "fuzz.example", "example", "example"
	m, err := d.Encode(lir)
	if err != nil {
		f.Fatal(err)
	}
	seed, err := m.Serialize()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(true, seed)
	f.Add(true, append(seed[:len(seed):len(seed)], seed...))
	f.Add(true, seed[:len(seed)-3])

	pipes := newNetwork()
	n, err := diameter.New(listening("hss.example", addressA), []diameter.Application{cx.Application}, diameter.Options{Listen: pipes.Listen})
	if err != nil {
		f.Fatal(err)
	}
	diameter.Handle(n, func(context.Context, *cx.LIR) (*cx.LIA, error) { return &cx.LIA{ServerName: "sip:s"}, nil })

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	f.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			f.Error(err)
		}
	})

	f.Fuzz(func(t *testing.T, capable bool, sent []byte) {
		conn, err := pipes.Dial(t.Context(), "tcp", addressA)
		if err != nil {
			t.Fatal(err)
		}
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			_, _ = io.Copy(io.Discard, conn)
		}()

		if capable {
			sent = append(bytes.Clone(cer), sent...)
		}
		if err := conn.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(sent); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("the node does not read any more")
			}
		}
		conn.Close()
		<-drained
	})
}
