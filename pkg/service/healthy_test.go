package service

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

func TestHealthy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // nobody is there
	t.Setenv("http_proxy", "http://127.0.0.1:1")

	probe := &runner{}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	free.Close()

	tests := []struct {
		name, listen string
		ready        error
		allow        string
		reason       string // part of it; empty: healthy
	}{
		{name: "ready", listen: "127.0.0.1:0"},
		{name: "ready, at all addresses of IPv4", listen: "0.0.0.0:0"},
		{name: "ready, at all addresses", listen: "[::]:0"},
		{name: "not ready", listen: "127.0.0.1:0", ready: errors.New("no peer at the HSS yet"), reason: "no peer at the HSS yet"},
		{name: "not allowed to ask", listen: "127.0.0.1:0", allow: "192.0.2.0/24", reason: "127.0.0.1"},
		{name: "nobody there", reason: "not running"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			probe.ready = test.ready
			address := nobody
			if test.listen != "" {
				base := start(t, func(*Env) Runner { return probe }, func(c *settings) {
					c.Admin.Address = test.listen
					if test.allow != "" {
						c.Admin.AllowFrom = []netip.Prefix{netip.MustParsePrefix(test.allow)}
					}
				})
				_, port, err := net.SplitHostPort(strings.TrimPrefix(base, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				host, _, err := net.SplitHostPort(test.listen)
				if err != nil {
					t.Fatal(err)
				}
				address = net.JoinHostPort(host, port)
			}

			t.Setenv("DIALTONE_PROBE_ADMIN_ADDRESS", address)
			_, err := execute(t, "--healthy")
			if (err == nil) != (test.reason == "") || err != nil && !strings.Contains(err.Error(), test.reason) {
				t.Errorf("--healthy at %s: %v, want %q", address, err, test.reason)
			}
		})
	}
}

func TestHealthyCannotAskAnUnknownPort(t *testing.T) {
	if _, err := execute(t, "--healthy"); err == nil || !strings.Contains(err.Error(), "admin.address") {
		t.Errorf("an admin port that is taken anew at each start: %v", err)
	}
}

func TestReachable(t *testing.T) {
	for listening, want := range map[string]string{
		"172.30.10.10:9090": "172.30.10.10:9090", "[2001:db8::1]:9090": "[2001:db8::1]:9090", "0.0.0.0:9090": "127.0.0.1:9090",
		"[::]:9090": "[::1]:9090", ":9090": "127.0.0.1:9090", "pcscf:9090": "pcscf:9090",
	} {
		if got, err := reachable(listening); err != nil || got != want {
			t.Errorf("%s is asked at %s (%v), want %s", listening, got, err, want)
		}
	}
}

// A process that accepts the connection and then is silent is not healthy, and the check does not hang.
func TestHealthyHasADeadline(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()

	begun := time.Now()
	if err := healthy(t.Context(), httpapi.Config{Address: silent.Addr().String()}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a process that says nothing: %v", err)
	}
	if took := time.Since(begun); took < askedFor || took > 4*askedFor {
		t.Errorf("the answer was waited for %v, want %v", took, askedFor)
	}
}
