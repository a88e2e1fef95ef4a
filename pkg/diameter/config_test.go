package diameter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

func TestConfigIsRefused(t *testing.T) {
	tests := []struct {
		says   string
		change func(*diameter.Config)
	}{
		{"origin_host", func(c *diameter.Config) { c.OriginHost = "" }},
		{"origin_realm", func(c *diameter.Config) { c.OriginRealm = "" }},
		{"RFC 3539 §3.4.1", func(c *diameter.Config) { c.Watchdog = 5 * time.Second }},
		{"request_timeout", func(c *diameter.Config) { c.RequestTimeout = 0 }},
		{"sources", func(c *diameter.Config) { c.Peers = []diameter.Peer{{Host: "b", Sources: []string{"b.example"}}} }},
		{"reconnect_max", func(c *diameter.Config) { c.ReconnectMax = c.ReconnectMin / 2 }},
		{"max_message", func(c *diameter.Config) { c.MaxMessage = 1 << 24 }},
		{"max_concurrent", func(c *diameter.Config) { c.MaxConcurrent = 0 }},
		{"diameter.listen", func(c *diameter.Config) { c.Listen = []diameter.Listener{{Address: "nowhere"}} }},
		{"TLS needs a certificate", func(c *diameter.Config) {
			c.Listen = []diameter.Listener{{Address: "127.0.0.1:0", TLS: diameter.TLS{CA: "ca.crt"}}}
		}},
		{"certificate and key", func(c *diameter.Config) {
			c.Peers = []diameter.Peer{{Host: "b.example", TLS: diameter.TLS{Certificate: "b.crt"}}}
		}},
		{"has no host", func(c *diameter.Config) { c.Peers = []diameter.Peer{{Address: "127.0.0.1:1"}} }},
		{"stands twice", func(c *diameter.Config) { c.Peers = []diameter.Peer{{Host: "b.example"}, {Host: "B.example"}} }},
		{"this node itself", func(c *diameter.Config) { c.Peers = []diameter.Peer{{Host: "A.example"}} }},
		{"b.example", func(c *diameter.Config) { c.Peers = []diameter.Peer{{Host: "b.example", Address: "b"}} }},
		{"as: host and realm are both needed", func(c *diameter.Config) {
			c.Peers = []diameter.Peer{{Host: "b.example", As: diameter.Identity{Host: "c.example"}}}
		}},
		{"is no peer", func(c *diameter.Config) { c.Routes = []diameter.Route{{Peer: "b.example"}} }},
	}

	for _, test := range tests {
		t.Run(test.says, func(t *testing.T) {
			c := diameter.DefaultConfig("a.example", "example")
			test.change(&c)
			if err := c.Validate(); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want it to say %q", err, test.says)
			}
		})
	}

	c := diameter.DefaultConfig("a.example", "example")
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
