package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/lab/internal/names"
	"github.com/dialtone-ims/dialtone/lab/internal/scenario"
	"github.com/dialtone-ims/dialtone/lab/internal/zone"
	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// named is a network whose names are served without the lab: its functions' addresses, and the HSS with the numbers.
type named struct {
	network    scenario.PLMN
	at         map[string]*addresses // by the function; gm is the P-CSCF
	hosts      []string
	api, token string
	refresh    time.Duration
}

// addresses are those of one function: of IPv4, of IPv6, or both.
type addresses []netip.Addr

// Set adds an address.
func (a *addresses) Set(text string) error {
	address, err := parseAddress(text)
	if err != nil {
		return err
	}

	if address.IsUnspecified() {
		return errors.New("nobody is found there: a handset has to reach it")
	}

	*a = append(*a, address)

	return nil
}

// parseAddress returns the IP address of a text, with or without brackets.
func parseAddress(text string) (netip.Addr, error) {
	address, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return address, errors.New("it is no whole IP address, as 192.0.2.1 or 2001:db8::1")
	}

	return address, nil
}

// oneAddress is a flag for one IP address.
type oneAddress netip.Addr

// Set parses an address.
func (o *oneAddress) Set(text string) error {
	address, err := parseAddress(text)
	*o = oneAddress(address)

	return err
}

// String returns the address for the help.
func (o *oneAddress) String() string {
	if address := netip.Addr(*o); address.IsValid() {
		return address.String()
	}

	return ""
}

// Type returns the type for the help.
func (o *oneAddress) Type() string { return "address" }

// String returns the addresses for the help.
func (a *addresses) String() string {
	var all []string
	for _, address := range *a {
		all = append(all, address.String())
	}

	return strings.Join(all, ",")
}

// Type returns the type for the help.
func (a *addresses) Type() string { return "address" }

func (n *named) flags(c *cobra.Command) {
	c.Flags().Var(&n.network, "plmn", "whose names they are; without it those of the home network of "+config.HomeVariable+", or of 001-01")

	n.at = map[string]*addresses{}

	for _, f := range []struct{ flag, who string }{
		{"gm", "where handsets find the P-CSCF"},
		{"icscf", "where the I-CSCF is"},
		{"scscf", "where the S-CSCF is"},
		{"hss", "where the HSS is"},
		{"ocs", "where the OCS is"},
	} {
		n.at[f.flag] = new(addresses)
		c.Flags().Var(n.at[f.flag], f.flag, f.who+", if not where the lab has it; may be repeated, as for IPv4 and IPv6")
	}

	c.Flags().StringArrayVar(
		&n.hosts, "host", nil,
		"`NAME=ADDRESS` of another host, as epdg.epc.pub=192.0.2.9: a whole name, or one that ends in ims, epc or pub; may be repeated",
	)
	c.Flags().StringVar(&n.api, "api", scenario.AdminOfHSS, "admin HTTP of the HSS, for the numbers of the subscribers")
	c.Flags().StringVar(&n.token, "token", "", "bearer token of it (DIALTONE_HSS_ADMIN_TOKEN); without it that of this machine")
}

// plan returns the network of the flags.
func (n *named) plan(server ...netip.Addr) (zone.Plan, error) {
	network := n.network
	if network == (scenario.PLMN{}) {
		network = scenario.TestNetwork
	}

	plan := scenario.Loopback.Names(network, server...)
	if home := config.Home(); n.network == (scenario.PLMN{}) && home != plan.Domain {
		plan = of(plan, home)
	}

	for i, s := range plan.Services {
		if at := *n.at[strings.Replace(s.Name, "pcscf", "gm", 1)]; len(at) > 0 {
			plan.Services[i].Addresses = at
		}
	}

	for i, h := range plan.Hosts {
		function, _, _ := strings.Cut(h.Name, ".")
		if at, known := n.at[function]; known && len(*at) > 0 {
			plan.Hosts[i].Addresses = *at
		}
	}

	if len(server) == 0 { // of a zone file: the server is somebody else's, best where handsets find it
		plan.Server = plan.Services[slices.IndexFunc(plan.Services, func(s zone.Service) bool { return s.Name == "pcscf" })].Addresses
	}

	for _, text := range n.hosts {
		name, at, _ := strings.Cut(text, "=")

		address, err := netip.ParseAddr(strings.Trim(at, "[]"))
		if err != nil {
			return plan, fmt.Errorf("--host %s: it has to be NAME=ADDRESS", text)
		}

		plan.Hosts = append(plan.Hosts, zone.Host{Name: whole(name, plan.Domain), Addresses: []netip.Addr{address}})
	}

	return plan, nil
}

// of returns a plan for another home network domain. One that is not a PLMN's has no names of an EPC.
func of(plan zone.Plan, home string) zone.Plan {
	hosts := plan.Hosts
	plan.Hosts = nil

	for _, h := range hosts {
		name := strings.Replace(h.Name, "."+plan.Domain, "."+home, 1)
		name = strings.Replace(name, ".epc."+strings.TrimPrefix(plan.Domain, "ims."), ".epc."+strings.TrimPrefix(home, "ims."), 1)
		h.Name = name

		for _, origin := range zone.Origins(home) {
			if dns.IsSubDomain(origin, dns.CanonicalName(name)) {
				plan.Hosts = append(plan.Hosts, h)
			}
		}
	}

	plan.Domain = home

	return plan
}

// whole completes a name that ends in ims, epc or pub with the rest of the network's domain.
func whole(name, domain string) string {
	plmn, found := strings.CutPrefix(domain, "ims.")
	if !found {
		return name
	}

	switch part := name[strings.LastIndexByte(name, '.')+1:]; part {
	case "ims", "epc":
		return name + "." + plmn
	case "pub":
		return strings.TrimSuffix(name, "pub") + strings.Replace(plmn, "3gppnetwork.org", "pub.3gppnetwork.org", 1)
	default:
		return name
	}
}

func (n *named) read() names.Read {
	token := n.token
	if token == "" {
		token = os.Getenv("DIALTONE_HSS_ADMIN_TOKEN")
	}

	if token == "" {
		token = httpapi.TokenFor(n.api, os.Getenv("DIALTONE_HSS_ADMIN_TOKEN_FILE"))
	}

	return names.Subscribers(httpapi.Client{Base: n.api, Token: token})
}

// dnsCommand returns the command that runs the name server alone.
func dnsCommand() *cobra.Command {
	var (
		n       named
		listen  nameservers
		healthy bool
	)

	c := &cobra.Command{
		Use: "dns --listen ADDRESS", Short: "answer for the names of the network, of a core that runs without the lab", Args: cobra.NoArgs,
		Long: "Answer for the names of the network (docs/names.md), of a core that runs without the lab. The numbers are those of the HSS's " +
			"subscribers, read again and again; until they have been read, questions for numbers are refused.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(listen) == 0 {
				return errors.New("--listen ADDRESS is needed")
			}

			plan, err := n.plan(listen.addresses()...)
			if err != nil {
				return err
			}

			if healthy {
				return answers(cmd.Context(), listen[0], plan.Domain)
			}

			say := func(line string) { fmt.Fprintln(cmd.OutOrStdout(), line) }

			server, err := serve(plan, listen, n.read(), n.refresh, say)
			if err != nil {
				return err
			}

			say(fmt.Sprintf("answering at %s for %s", server.at.String(), zones(plan)))

			ctx, end := context.WithCancelCause(cmd.Context())
			defer end(nil)

			go server.tell(end)

			server.follow(ctx)
			<-ctx.Done()

			return server.stop()
		},
	}
	n.flags(c)
	c.Flags().Var(&listen, "listen", "`address` to answer at (port 53 unless it has one); may be repeated")
	c.Flags().DurationVar(&n.refresh, "refresh", refreshTime, "between two reads of the subscribers")
	c.Flags().BoolVar(&healthy, "healthy", false, "ask the one that runs with the same flags whether it answers, and end with status 0 if so")

	return c
}

// answers asks a running server for its domain.
func answers(ctx context.Context, at netip.AddrPort, domain string) error {
	client := dns.Client{Timeout: 2 * time.Second}

	m, _, err := client.ExchangeContext(ctx, new(dns.Msg).SetQuestion(dns.Fqdn(domain), dns.TypeSOA), at.String())
	if err != nil {
		return err
	}

	if m.Rcode != dns.RcodeSuccess || !m.Authoritative || len(m.Answer) != 1 {
		return fmt.Errorf("%s: %s does not answer for it (%s)", domain, at, dns.RcodeToString[m.Rcode])
	}

	return nil
}

// zoneCommand returns the command that writes the name server's zones as files.
func zoneCommand() *cobra.Command {
	var (
		n       named
		server  addresses
		folder  string
		without bool
		follow  bool
	)

	c := &cobra.Command{
		Use: "zone", Short: "the names of the network as zone files, for a name server of one's own", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := n.plan(server...)
			if err != nil {
				return err
			}

			if follow && (folder == "" || without) {
				return errors.New("--follow is for files, and for numbers: --out FOLDER, without --without-numbers")
			}

			put := func(zones []*zone.Zone) error { return printZones(cmd.OutOrStdout(), zones) }
			if folder != "" {
				put = func(zones []*zone.Zone) error { return names.Write(folder, zones) }
			}

			if !follow {
				warn := func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), "warning:", line) }
				if err := once(cmd.Context(), plan, n.read(), without, put, warn); err != nil || folder == "" {
					return err
				}

				return sections(cmd.OutOrStdout(), plan, folder, without)
			}

			f, err := names.Follow(plan, n.read(), n.refresh, put, func(line string) { fmt.Fprintln(cmd.OutOrStdout(), line) })
			if err != nil {
				return err
			}

			if err := sections(cmd.OutOrStdout(), plan, folder, false); err != nil {
				return err
			}

			f.Run(cmd.Context())

			return nil
		},
	}
	n.flags(c)
	c.Flags().Var(&server, "ns", "`address` of the name server that has the files, if it is not that of --gm; may be repeated")
	c.Flags().StringVar(&folder, "out", "", "`folder` to write them to, one for each zone; a file whose zone has not changed stays as it is")
	c.Flags().BoolVar(&without, "without-numbers", false, "no zone for the numbers of the subscribers: no HSS is asked")
	c.Flags().BoolVar(&follow, "follow", false, "go on, and write the files again when the subscribers change, until Ctrl-C")
	c.Flags().DurationVar(&n.refresh, "refresh", refreshTime, "between two reads of the subscribers")

	return c
}

// once puts the present zones.
func once(
	ctx context.Context, plan zone.Plan, read names.Read, without bool, put func([]*zone.Zone) error, warn func(string),
) (err error) {
	if !without {
		if plan.Numbers, err = read(ctx); err != nil {
			return fmt.Errorf("the subscribers cannot be read: %w; --without-numbers leaves them out", err)
		}

		if warning := names.Strangers(plan.Numbers, plan.Domain); warning != "" {
			warn(warning)
		}
	}

	zones, err := plan.Zones(uint32(time.Now().Unix()))
	if err != nil {
		return err
	}

	return put(zones)
}

func printZones(out io.Writer, zones []*zone.Zone) error {
	for i, z := range zones {
		if i > 0 {
			fmt.Fprintln(out)
		}

		fmt.Fprint(out, z.Text())
	}

	return nil
}

// sections prints the lines of BIND's configuration for the files.
func sections(out io.Writer, plan zone.Plan, folder string, without bool) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}

	fmt.Fprintln(out, "// for BIND's named.conf; rndc reload has it read them again")

	for _, origin := range zone.Origins(plan.Domain) {
		if without && origin == zone.NumbersOrigin {
			continue
		}

		fmt.Fprintf(out, "zone %q { type primary; file %q; };\n", strings.TrimSuffix(origin, "."), names.File(folder, origin))
	}

	return nil
}
