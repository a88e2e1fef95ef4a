package ipsec

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// willing is a kernel that installs everything.
type willing struct {
	Kernel
	failing error
}

func (k willing) Install(ipsec.Set, time.Duration) error { return k.failing }

func (willing) Reclaim(netip.Addr, func(uint32) bool) (int, error) { return 0, nil }
func (willing) Guard(netip.Addr, ...uint16) error                  { return nil }
func (willing) Unguard(netip.Addr, ...uint16) error                { return nil }
func (willing) Close() error                                       { return nil }

// Keys are written only where the configuration says, only of sets in the kernel, and the log says so.
func TestWiresharkKeys(t *testing.T) {
	set := ipsec.Set{
		UE: netip.MustParseAddr(
			"192.0.2.100",
		), PCSCF: netip.MustParseAddr("192.0.2.1"), Suite: ipsec.Suite{Integrity: ipsec.HMACMD5, Encryption: ipsec.NoEncryption},
		IK: [16]byte([]byte("0123456789abcdef")),
	}

	raised := func(path string, k Kernel) (*Access, string, error) {
		var log strings.Builder

		c := Default()
		c.WiresharkKeys = path
		s, err := New(&c, Options{
			Endpoints: []stack.EndpointConfig{{Name: "Gm", Address: "192.0.2.1:5060"}}, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Open: func(wanted []ipsec.Suite) (Kernel, []ipsec.Suite, error) { return k, wanted, nil },
		})

		return s, log.String(), err
	}

	t.Run("not without being told", func(t *testing.T) {
		s, log, err := raised("", willing{})
		if _, discloses := s.kernel.(disclosing); err != nil || discloses || s.keyfile != nil || strings.Contains(log, "keys") {
			t.Errorf("%v, %s", err, log)
		}
	})

	t.Run("where it is told", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "esp_sa")

		s, log, err := raised(path, willing{})
		if err != nil || !strings.Contains(log, "level=WARN") || !strings.Contains(log, path) || strings.Contains(log, "30313233") {
			t.Fatalf("%v, %s", err, log)
		}

		failing := errors.New("no buffer space")
		if err := (disclosing{willing{failing: failing}, s.keyfile, s.log}).Install(set, time.Minute); !errors.Is(err, failing) {
			t.Error(err)
		}

		if text, err := os.ReadFile(path); err != nil || len(text) != 0 {
			t.Errorf("keys of what is not there: %s, %v", text, err)
		}

		if err := errors.Join(s.kernel.Install(set, time.Minute), s.close(), s.kernel.Install(set, time.Minute)); err != nil {
			t.Error(err)
		}

		if text, err := os.ReadFile(path); err != nil || strings.Count(string(text), "\n") != 4 ||
			!strings.Contains(string(text), `"0x30313233343536373839616263646566"`) {
			t.Errorf("%v\n%s", err, text)
		}
	})

	t.Run("where it cannot be", func(t *testing.T) {
		if _, _, err := raised(filepath.Join(t.TempDir(), "no", "folder"), willing{}); err == nil ||
			!strings.Contains(err.Error(), "ipsec.wireshark_keys") {
			t.Error(err)
		}
	})
}
