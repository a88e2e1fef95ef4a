package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pcscf/internal/app"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/service"
)

func TestCheckIPsec(t *testing.T) {
	some := map[ipsec.Suite]error{}
	for _, suite := range ipsec.Suites {
		some[suite] = errors.New("the kernel does not have the algorithm")
	}

	some[ipsec.Suite{Integrity: ipsec.HMACSHA1, Encryption: ipsec.AESCBC}] = nil

	here := ipsec.Probe(ipsec.Options{})

	for name, c := range map[string]struct {
		support ipsec.Support
		good    bool
		says    []string
	}{
		"some algorithms": {ipsec.Support{Suites: some}, true, []string{
			"integrity", "hmac-sha-1-96     aes-cbc       yes", "null              aes-gcm       no: the kernel does not have the algorithm",
		}},
		"no ESP": {
			ipsec.Support{Missing: errors.New("the kernel has no ESP")},
			false,
			[]string{"no security associations: the kernel has no ESP"},
		},
		"here": {
			here,
			here.Missing == nil,
			[]string{map[bool]string{true: "hmac-sha-1-96", false: "no security associations: "}[here.Missing == nil]},
		},
	} {
		t.Run(name, func(t *testing.T) {
			command := service.Command(function(func(o ipsec.Options) ipsec.Support {
				if o.Role != ipsec.PCSCF || o.Namespace != "" {
					t.Errorf("probed with %+v", o)
				}

				return c.support
			}))

			var out bytes.Buffer
			command.SetOut(&out)
			command.SetErr(io.Discard)
			command.SetArgs([]string{"--check-ipsec"})

			if err := command.ExecuteContext(t.Context()); (err == nil) != c.good {
				t.Errorf("ended with %v", err)
			}

			for _, text := range c.says {
				if !strings.Contains(out.String(), text) {
					t.Errorf("does not say %q:\n%s", text, out.String())
				}
			}
		})
	}
}

// Without the flag the command is the P-CSCF as before.
func TestOtherFlagsStay(t *testing.T) {
	command := service.Command(function(func(ipsec.Options) ipsec.Support {
		t.Error("probed without being asked")
		return ipsec.Support{}
	}))

	var out bytes.Buffer
	command.SetOut(&out)
	command.SetArgs([]string{"--print-config"})

	if err := command.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), "home_domain: "+app.Default().HomeDomain) {
		t.Errorf("%v: %s", err, out.String())
	}
}
