package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
)

// epsFlags are the flags for the EPS subscription of one SIM.
type epsFlags struct {
	file   string
	usual  bool
	static []string

	own *subscriber.EPS // what the file has
}

func (e *epsFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&e.file, "eps", "", "what an MME is told of the SIM, as JSON: default APN, rates, APNs; - for the standard input")
	f.BoolVar(&e.usual, "eps-default", false, "tell an MME what the settings say (s6a.apns), and nothing of its own")
	f.StringSliceVar(
		&e.static, "static-address", nil,
		"of a SIM with an eps of its own: `APN=ADDRESS`, or APN= for none; twice for IPv4 and IPv6",
	)
	c.MarkFlagsMutuallyExclusive("eps", "eps-default")
	c.MarkFlagsMutuallyExclusive("eps-default", "static-address")
}

// read reads the file, if one is named.
func (e *epsFlags) read(c *cobra.Command) error {
	if e.file == "" {
		return nil
	}

	e.own = new(subscriber.EPS)

	return decodeFile(c, e.file, e.own)
}

// change makes the private identity meant have what the flags say.
func (e *epsFlags) change(c *cobra.Command, s *provisioning.Subscriber, private string) error {
	if e.file == "" && !e.usual && len(e.static) == 0 {
		return nil
	}

	p, err := privateOf(s, private)
	if err != nil {
		return err
	}

	if err := e.read(c); err != nil {
		return err
	}

	if e.own != nil || e.usual {
		p.EPS = e.own
	}

	named := map[string]bool{} // APNs

	for _, text := range e.static {
		if err := setAddress(p, text, named); err != nil {
			return err
		}
	}

	return nil
}

// setAddress gives an APN the static address of a text "APN=ADDRESS", in place of those that it had before, and beside that of another
// family if the APN has been named.
func setAddress(p *provisioning.PrivateIdentity, text string, named map[string]bool) error {
	apn, address, found := strings.Cut(text, "=")

	switch {
	case !found:
		return fmt.Errorf("--static-address: %q is not APN=ADDRESS", text)
	case p.EPS == nil:
		return fmt.Errorf("--static-address: %s has no eps of its own: give it one with --eps", p.Identity)
	}

	for i := range p.EPS.APNs {
		if a := &p.EPS.APNs[i]; strings.EqualFold(a.Name, apn) {
			if !named[a.Name] {
				a.Addresses, named[a.Name] = nil, true
			}

			if address != "" {
				a.Addresses = append(a.Addresses, address)
			}

			return nil
		}
	}

	return fmt.Errorf("--static-address: %s has no APN %q", p.Identity, apn)
}

// printEPS prints the APNs of a SIM with an EPS subscription of its own, and its gateways.
func printEPS(w io.Writer, p provisioning.PrivateIdentity) {
	if p.AAA != nil {
		fmt.Fprintf(w, "  aaa      %s\n", p.AAA.DiameterHost)
	}

	if p.EPS == nil {
		return
	}

	if len(p.EPS.APNs) == 0 {
		fmt.Fprintln(w, "  apn      none: it may not attach")
	}

	for i, a := range p.EPS.APNs {
		fmt.Fprintf(w, "  apn      %s  %s, QCI %d, ARP %d, up %d bit/s, down %d bit/s",
			a.Name, a.PDNType, a.QCI, a.ARP.Priority, a.AMBR.Uplink, a.AMBR.Downlink)

		if len(a.Addresses) > 0 {
			fmt.Fprintf(w, ", address %s", strings.Join(a.Addresses, " and "))
		}

		if i == p.EPS.Default() {
			fmt.Fprint(w, ", default")
		}

		fmt.Fprintln(w)
	}
}
