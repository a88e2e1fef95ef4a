package diameter_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

func start(t *testing.T, c diameter.Config, prepare func(*diameter.Node)) *diameter.Node {
	t.Helper()

	n, err := diameter.New(c, []diameter.Application{cx.Application}, diameter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(n)
	}

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})

	return n
}

// startLogged runs a node whose log lines are sent to a channel.
func startLogged(t *testing.T, c diameter.Config, lines chan<- string) {
	t.Helper()

	n, err := diameter.New(
		c,
		[]diameter.Application{cx.Application},
		diameter.Options{Log: slog.New(slog.NewTextHandler(lineWriter(lines), nil))},
	)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

type lineWriter chan<- string

func (w lineWriter) Write(b []byte) (int, error) {
	select {
	case w <- string(b):
	default:
	}

	return len(b), nil
}

func server(host string) diameter.Config {
	c := diameter.DefaultConfig(host, "example")
	c.Listen = []diameter.Listener{{Address: "127.0.0.1:0"}}
	c.AllowUnknownPeers = true

	return c
}

func client(host string, peers ...diameter.Peer) diameter.Config {
	c := diameter.DefaultConfig(host, "example")
	c.Peers = peers
	c.ReconnectMin = 10 * time.Millisecond

	return c
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()

	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()

	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("%s did not happen", what)
		case <-tick.C:
		}
	}
}

func serveLIR(name string, served *atomic.Int32) func(*diameter.Node) {
	return func(n *diameter.Node) {
		diameter.Handle(n, func(_ context.Context, q *cx.LIR) (*cx.LIA, error) {
			served.Add(1)
			if q.PublicIdentity == "sip:nobody" {
				return nil, cx.ErrorUserUnknown
			}
			return &cx.LIA{ServerName: name}, nil
		})
	}
}

func TestRequestsFromBothEnds(t *testing.T) {
	var served atomic.Int32
	hss := start(t, server("hss.example"), serveLIR("sip:scscf", &served))
	scscf := start(t, client("scscf.example", diameter.Peer{Host: "hss.example", Realm: "example", Address: hss.Addresses()[0].String()}),
		func(n *diameter.Node) {
			diameter.Handle(n, func(_ context.Context, q *cx.PPR) (*cx.PPA, error) { return &cx.PPA{}, nil })
		})

	await(t, "the connection", func() bool { return scscf.Ready() == nil && len(hss.Peers()) == 1 })

	answer, err := diameter.Call[cx.LIA](t.Context(), scscf, &cx.LIR{PublicIdentity: "sip:a"})
	if err != nil || answer.ServerName != "sip:scscf" || answer.Result != cx.Success || answer.OriginHost != "hss.example" {
		t.Fatalf("LIA: %+v, %v", answer, err)
	}

	answer, err = diameter.Call[cx.LIA](t.Context(), scscf, &cx.LIR{PublicIdentity: "sip:nobody"})
	if err != nil || answer.Result != cx.ErrorUserUnknown {
		t.Fatalf("LIA for an unknown user: %+v, %v", answer, err)
	}

	push := &cx.PPR{UserName: "a"}
	push.DestinationHost = "scscf.example"
	await(
		t,
		"readiness of the accepted connection",
		func() bool { _, err := diameter.Call[cx.PPA](t.Context(), hss, push); return err == nil },
	)

	if _, err := diameter.Call[cx.UAA](t.Context(), scscf, &cx.UAR{UserName: "a", PublicIdentity: "b", VisitedNetwork: "c"}); err != nil {
		t.Fatalf("a command that is not served has an answer, too: %v", err)
	}
}

func TestGarbageHarmsNobody(t *testing.T) {
	var served atomic.Int32
	hss := start(t, server("hss.example"), serveLIR("sip:scscf", &served))

	for _, garbage := range []string{
		"GET / HTTP/1.1\r\nHost: hss\r\n\r\n",
		string(make([]byte, 20)),
		"\x01\x00\x00\x04\x80\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		conn, err := net.Dial("tcp", hss.Addresses()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, garbage); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, net.ErrClosed) {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Errorf("%q: the connection stays open", garbage)
			}
		}
		conn.Close()
	}

	scscf := start(t, client("scscf.example", diameter.Peer{Host: "hss.example", Address: hss.Addresses()[0].String()}), nil)
	await(t, "the connection", func() bool { return scscf.Ready() == nil })
	if _, err := diameter.Call[cx.LIA](t.Context(), scscf, &cx.LIR{PublicIdentity: "sip:a"}); err != nil {
		t.Errorf("after garbage: %v", err)
	}
}

// TestReached: Reached covers the time since the start: a peer that was there and has gone counts.
func TestReached(t *testing.T) {
	hss, err := diameter.New(server("hss.example"), []diameter.Application{cx.Application}, diameter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)

	scscf := start(t, client("scscf.example", diameter.Peer{Host: "hss.example", Address: hss.Addresses()[0].String()}), nil)
	if scscf.Reached(cx.Application.ID) {
		t.Error("before anybody has answered")
	}

	go func() { left <- hss.Run(ctx) }()
	await(t, "the HSS", func() bool { return scscf.Reached(cx.Application.ID) })

	leave()
	if err := <-left; err != nil {
		t.Error(err)
	}
	await(t, "the HSS to be missed", func() bool { return scscf.Ready() != nil })

	if !scscf.Reached(cx.Application.ID) || scscf.Reached(4) {
		t.Errorf("Cx %v, Ro %v; want true, false", scscf.Reached(cx.Application.ID), scscf.Reached(4))
	}
}

func BenchmarkCall(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	hss, err := diameter.New(server("hss.example"), []diameter.Application{cx.Application}, diameter.Options{})
	if err != nil {
		b.Fatal(err)
	}
	diameter.Handle(hss, func(_ context.Context, q *cx.LIR) (*cx.LIA, error) { return &cx.LIA{ServerName: "sip:s"}, nil })
	go func() { _ = hss.Run(ctx) }()

	scscf, err := diameter.New(
		client("scscf.example", diameter.Peer{Host: "hss.example", Address: hss.Addresses()[0].String()}),
		[]diameter.Application{cx.Application},
		diameter.Options{},
	)
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = scscf.Run(ctx) }()
	for scscf.Ready() != nil {
		runtime.Gosched()
	}

	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := diameter.Call[cx.LIA](ctx, scscf, &cx.LIR{PublicIdentity: "sip:a"}); err != nil {
				b.Error(err)
			}
		}
	})
}

// TestNothingIsLeftBehind: connections that come and go leave nothing behind.
func TestNothingIsLeftBehind(t *testing.T) {
	before := runtime.NumGoroutine()

	t.Run("traffic", func(t *testing.T) {
		var served atomic.Int32
		hss := start(t, server("hss.example"), serveLIR("sip:s", &served))
		for range 20 {
			n, err := diameter.New(
				client("scscf.example", diameter.Peer{Host: "hss.example", Address: hss.Addresses()[0].String()}),
				[]diameter.Application{cx.Application},
				diameter.Options{},
			)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- n.Run(ctx) }()
			await(t, "the connection", func() bool { return n.Ready() == nil })
			if _, err := diameter.Call[cx.LIA](ctx, n, &cx.LIR{PublicIdentity: "sip:a"}); err != nil {
				t.Error(err)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		await(t, "the end of all peers", func() bool { return len(hss.Peers()) == 0 })
	})

	await(t, "the end of all goroutines", func() bool { return runtime.NumGoroutine() <= before })
}
