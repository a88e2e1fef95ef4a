package diameter_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/child"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/trace"
)

// TestFreeDiameterRelays: freeDiameter, another implementation of RFC 6733, relays between an S-CSCF that dials it and an HSS that it
// dials, and back. It is Debian's freediameterd with freediameter-extensions.
func TestFreeDiameterRelays(t *testing.T) {
	t.Parallel() // it waits for another program

	var served atomic.Int32
	watched := newWatched()
	hss := startTapped(t, server("hss.example"), watched.tap, serveLIR("sip:scscf.example", &served))

	relay := startFreeDiameter(t, hss.Addresses()[0].(*net.TCPAddr))

	c := client("scscf.example", diameter.Peer{Host: "relay.example", Realm: "example", Address: relay})
	pushed := make(chan string, 1)
	scscf := startTapped(t, c, watched.tap, func(n *diameter.Node) {
		diameter.Handle(n, func(_ context.Context, q *cx.PPR) (*cx.PPA, error) {
			pushed <- q.UserName
			return &cx.PPA{}, nil
		})
	})

	await(t, "both connections", func() bool { return scscf.Ready() == nil && len(hss.Peers()) == 1 && hss.Peers()[0].State == "open" })

	for user, want := range map[string]diameter.Result{"sip:a": cx.Success, "sip:nobody": cx.ErrorUserUnknown} {
		q := &cx.LIR{PublicIdentity: user}
		q.DestinationHost = "hss.example"
		answer, err := diameter.Call[cx.LIA](t.Context(), scscf, q)
		if err != nil || answer.Result != want || answer.OriginHost != "hss.example" {
			t.Errorf("LIA for %s through the relay: %+v, %v", user, answer, err)
		}
	}

	q := &cx.LIR{PublicIdentity: "sip:a"}
	q.DestinationHost = "nowhere.example"
	if answer, err := diameter.Call[cx.LIA](t.Context(), scscf, q); err != nil || answer.Result != diameter.UnableToDeliver {
		t.Errorf("LIA for a host that is not there: %+v, %v", answer, err)
	}

	push := &cx.PPR{UserName: "a"}
	push.DestinationHost = "scscf.example"
	if answer, err := diameter.Call[cx.PPA](t.Context(), hss, push); err != nil || answer.Result != cx.Success {
		t.Errorf("PPA through the relay: %+v, %v", answer, err)
	} else if user := <-pushed; user != "a" {
		t.Errorf("the push was for %q", user)
	}

	await(t, "its watchdog request and our answer", func() bool { return watched.seen(280, true, false) && watched.seen(280, false, true) })
}

type watched struct {
	mu       sync.Mutex
	messages map[string]bool
}

func newWatched() *watched { return &watched{messages: map[string]bool{}} }

func (w *watched) tap(m trace.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()

	w.messages[fmt.Sprint(binary.BigEndian.Uint32(m.Data[4:])&0xFFFFFF, m.Data[4]&0x80 != 0, m.Sent)] = true
}

func (w *watched) seen(code uint32, request, sent bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.messages[fmt.Sprint(code, request, sent)]
}

func startTapped(t *testing.T, c diameter.Config, tap trace.Tap, prepare func(*diameter.Node)) *diameter.Node {
	t.Helper()

	n, err := diameter.New(c, []diameter.Application{cx.Application}, diameter.Options{Tap: tap})
	if err != nil {
		t.Fatal(err)
	}
	prepare(n)

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

func startFreeDiameter(t *testing.T, hss *net.TCPAddr) (address string) {
	t.Helper()

	probe, err := net.Listen("tcp", "127.46.8.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := probe.Addr().(*net.TCPAddr).Port
	probe.Close()

	authority := newAuthority(t) // it wants a certificate, also where TLS is off
	authority.issue("relay.example", &x509.Certificate{DNSNames: []string{"relay.example"}}, authority.certificate, authority.key)

	file := func(name string) string { return filepath.Join(authority.folder, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	write("acl.conf", "ALLOW_IPSEC *.example\n")
	write("fd.conf", fmt.Sprintf(`
Identity = "relay.example";
Realm = "example";
Port = %d;
SecPort = 0;
No_SCTP;
No_IPv6;
ListenOn = "127.46.8.1";
TwTimer = 6;
TcTimer = 1;
TLS_Cred = %q, %q;
TLS_CA = %q;
LoadExtension = "/usr/lib/freeDiameter/acl_wl.fdx" : %q;
ConnectPeer = "hss.example" { No_TLS; ConnectTo = %q; Port = %d; };
`, port, file("relay.example.crt"), file("relay.example.key"), file("ca.crt"), file("acl.conf"), hss.IP.String(), hss.Port))

	var output bytes.Buffer
	command := exec.Command("freeDiameterd", "-c", file("fd.conf"), "-d")
	command.Stdout, command.Stderr = &output, &output
	child.Bind(command, syscall.SIGTERM)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
		if t.Failed() {
			t.Log(strings.TrimSpace(output.String()))
		}
	})

	return fmt.Sprintf("127.46.8.1:%d", port)
}
