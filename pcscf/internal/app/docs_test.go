package app

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	access "github.com/dialtone-ims/dialtone/pcscf/internal/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/memory"
	"github.com/dialtone-ims/dialtone/test/openapi"
	"github.com/dialtone-ims/dialtone/test/page"
)

// The reference page, or that of the shared settings, names every setting; the former every metric.
func TestReferencePage(t *testing.T) {
	c := Default()
	page.Read(t, "pcscf.md", "bearers.md", "emergency.md").Settings(&c)
	page.Read(t, "bearers.md").Shows(bearer.Machine.String())

	env := built(t)
	raised(t, env.Metrics)

	bearer.New(nil, env.Log, env.Metrics)

	reference := page.Read(t, "pcscf.md", "bearers.md", "emergency.md")
	reference.Metrics(env.Metrics, "pcscf")
	reference.Resources(env.Admin.Resources())
}

func built(t *testing.T) *service.Env {
	t.Helper()

	c := Default()
	c.SIP.Endpoints[0].Address, c.SIP.Endpoints[1].Address = "127.0.0.1:0", "127.0.0.1:0"

	return page.Built(t, &c, Build)
}

func TestOpenAPI(t *testing.T) {
	openapi.Hold(t, "Dialtone P-CSCF", built(t).Admin.Resources())
}

// raised adds the metrics that exist with IPsec only, on a kernel that supports it.
func raised(t *testing.T, metrics *prometheus.Registry) {
	t.Helper()

	c := Default()
	c.SIP.Endpoints[0].Address = "192.0.2.1:5060"

	s, err := access.New(&c.IPsec, access.Options{
		Endpoints: c.towardsHandsets(), Log: slog.New(slog.DiscardHandler),
		Open: func(wanted []ipsec.Suite) (access.Kernel, []ipsec.Suite, error) { return willing{}, wanted, nil },
	})
	if err != nil {
		t.Fatal(err)
	}

	stack, err := stack.New(c.bound(s.Endpoints()), nil, stack.Options{Network: memory.New()})
	if err != nil {
		t.Fatal(err)
	}

	if _, err := s.Protect(stack, metrics); err != nil {
		t.Fatal(err)
	}

	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// willing is a kernel that is empty and refuses nothing.
type willing struct{ access.Kernel }

func (willing) Reclaim(netip.Addr, func(uint32) bool) (int, error) { return 0, nil }
func (willing) Guard(netip.Addr, ...uint16) error                  { return nil }
func (willing) Unguard(netip.Addr, ...uint16) error                { return nil }
func (willing) Close() error                                       { return nil }

func TestDefaultsAreValid(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
