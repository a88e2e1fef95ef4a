// Command pcscf is the proxy call session control function, the first contact of handsets with IMS.
package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/pcscf/internal/app"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/service"
)

func main() { service.Main(function(ipsec.Probe)) }

func function(probe func(ipsec.Options) ipsec.Support) service.Function[app.Config] {
	return service.Function[app.Config]{
		Name:    "pcscf",
		Short:   "proxy CSCF: the handsets' first contact with IMS",
		Default: app.Default,
		Build:   app.Build,
		OpenAPI: app.OpenAPI,
		Flags:   func(c *cobra.Command) { offerCheck(c, probe) },
	}
}

// offerCheck adds --check-ipsec, which answers before anything is configured or started.
func offerCheck(c *cobra.Command, probe func(ipsec.Options) ipsec.Support) {
	asked := c.Flags().Bool("check-ipsec", false, "say what the kernel has of IPsec and end, with status 0 if it can be used")
	serve := c.RunE

	c.RunE = func(c *cobra.Command, arguments []string) error {
		if !*asked {
			return serve(c, arguments)
		}

		return check(c.OutOrStdout(), probe(ipsec.Options{Role: ipsec.PCSCF}))
	}
}

func check(out io.Writer, support ipsec.Support) error {
	if err := support.Print(out); err != nil {
		return err
	}

	if support.Missing != nil {
		return errors.New("IPsec cannot be used here")
	}

	return nil
}
