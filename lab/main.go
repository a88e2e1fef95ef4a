// Command lab starts the whole core on this machine and demonstrates it: five processes, two handsets, a charged call.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/lab/internal/link"
	"github.com/dialtone-ims/dialtone/lab/internal/process"
	"github.com/dialtone-ims/dialtone/lab/internal/scenario"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/service"
)

type options struct {
	once     bool
	bearers  scenario.Bearers
	ipsec    bool
	network  scenario.PLMN
	gm       addresses
	dns      nameservers
	binaries string
	data     string
	charging scenario.Charging
	link     int // of --ipsec, if this process is at the core's end of it
}

func main() {
	ctx, stop := service.UntilSignal(context.Background())
	defer stop()

	signal.Ignore(syscall.SIGPIPE) // the core is stopped in order even if the reader is gone, such as a tee that Ctrl-C ends, too

	executable, err := os.Executable()
	if err != nil {
		executable = "bin/lab"
	}

	o := options{network: scenario.TestNetwork, charging: scenario.OwnCharging}

	command := &cobra.Command{
		Use: "lab", Short: "bring the whole core up and show a charged call", Version: service.Version(), SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.ipsec && o.link == 0 {
				return inNamespaces(cmd.Context(), executable, cmd.OutOrStdout())
			}

			ctx, end := context.WithCancel(cmd.Context())
			defer end()

			return run(ctx, o, &reader{cmd.OutOrStdout(), end})
		},
	}
	command.Flags().BoolVar(&o.once, "once", false, "end when all is shown, with status 0 only if every step happened")
	command.Flags().BoolVar(
		&o.ipsec,
		"ipsec",
		false,
		"handsets and core in network namespaces, with IPsec between them; needs root and a kernel with ESP",
	)
	command.Flags().Var(&o.bearers, "bearers", "the P-CSCF asks a simulated PCRF for the bearers of calls, or with --bearers=n5 a PCF")
	command.Flags().Lookup("bearers").NoOptDefVal = string(scenario.Rx)
	command.Flags().DurationVar(&o.charging.Quota, "quota", o.charging.Quota, "what the OCS grants a call at a time")
	command.Flags().
		DurationVar(&o.charging.Margin, "margin", o.charging.Margin, "the S-CSCF asks for more so long before the end of a quota")
	command.Flags().
		StringVar(&o.charging.Plan, "plan", "", "`file` of a tariff in place of a cent a second and five for the connection, in JSON or YAML")
	command.Flags().Var(&o.network, "plmn", "whose network it is: that of your SIMs")
	command.Flags().Var(&o.gm, "gm", "an `address` of this machine, where real handsets find the P-CSCF; twice for IPv4 and IPv6")
	command.MarkFlagsMutuallyExclusive("gm", "ipsec")
	command.Flags().Var(&o.dns, "dns", "answer for the names of the network at this `address` (port 53 unless it has one); may be repeated")
	command.Flags().IntVar(&o.link, within, 0, "its number")
	_ = command.Flags().MarkHidden(within)
	command.Flags().StringVar(&o.binaries, "bin", filepath.Dir(executable), "folder of the five binaries")
	command.Flags().StringVar(&o.data, "data", "var", "folder for databases and logs")

	command.AddCommand(dnsCommand(), zoneCommand(), open5gsCommand(), environmentCommand(), centreCommand())
	service.Strict(command)

	if err := command.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "\nlab: %v\n", err)
		stop()
		os.Exit(1) //nolint:gocritic // nothing is left to do
	}
}

// reader writes to whoever reads the lab's output: when nobody does any more, the lab ends.
type reader struct {
	io.Writer
	gone func()
}

func (r *reader) Write(text []byte) (int, error) {
	n, err := r.Writer.Write(text)
	if err != nil {
		r.gone()
	}

	return n, err
}

const (
	readyTime = 20 * time.Second
	showTime  = 40 * time.Second
)

func run(ctx context.Context, o options, out io.Writer) (err error) {
	if err := o.charging.Validate(); err != nil {
		return err
	}

	s := &scenario.Scenario{Out: out, Place: scenario.Loopback, Network: o.network}

	if s.Place.Real = o.gm; slices.ContainsFunc(o.gm, netip.Addr.IsLoopback) {
		return fmt.Errorf("--gm %s: a handset has to reach it", &o.gm)
	}

	if o.network != scenario.TestNetwork { // where the subscribers would be unknown
		o.data = filepath.Join(o.data, o.network.String())
	}

	if o.ipsec {
		handsets := link.Numbered(o.link).Handsets

		kernel, err := ipsec.Open(ipsec.Options{Role: ipsec.UE, Namespace: string(handsets)})
		if err != nil {
			return err
		}
		defer kernel.Close()

		s.Place, s.Handsets, s.Kernel = scenario.Link, handsets, kernel
	}

	if s.Place.Bearers = o.bearers; o.bearers != scenario.NoBearers {
		if s.Policy, err = s.Place.Simulate(o.network, o.data); err != nil {
			return err
		}

		defer func() { err = errors.Join(err, s.Policy.Stop()) }() // after the P-CSCF, to get the ends of the last sessions
	}

	named, err := serveNames(s, o.dns)
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, named.stop()) }() // after the functions, which resolve names until they end

	s.Place.Charging = o.charging
	functions := s.Place.Functions(o.network, o.data)

	var running []*process.Running

	defer func() {
		slices.Reverse(running)

		for _, r := range running {
			err = errors.Join(err, r.Stop())
		}
	}()

	fmt.Fprint(out, "Starting the core\n")

	asked := ctx // of the signal; ctx also ends with a function

	ctx, fail := context.WithCancelCause(asked)
	defer fail(nil)

	go named.tell(fail)

	for _, f := range functions {
		r, err := process.Start(f, o.binaries, o.data)
		if err != nil {
			return o.ended(asked, out, err)
		}

		running = append(running, r)

		go func() { <-r.Ended(); fail(&process.Ended{Function: r}) }()

		wait, cancel := context.WithTimeout(ctx, readyTime)
		err = r.AwaitReady(wait)
		cancel()

		if err != nil {
			return o.ended(asked, out, err)
		}

		fmt.Fprintf(out, "  %-6s ready  %-40s admin %s\n", f.Name, f.Listens, f.Admin)
	}

	defer func() { err = errors.Join(err, s.Close()) }()

	if err := s.OpenCentre(ctx); err != nil {
		return err
	}

	if err := show(ctx, s, functions, out); err != nil {
		if gone := new(process.Ended); errors.As(context.Cause(ctx), &gone) {
			err = gone // the cause of all else
		}

		return o.ended(asked, out, err)
	}

	named.report(out)

	if o.once {
		fmt.Fprint(out, "\nEvery step happened.\n")
		return nil
	}

	invite(out, o)
	named.follow(ctx) // only now, so that what it says stands between no other lines

	var handsets sync.WaitGroup
	defer handsets.Wait()

	handsets.Go(func() { s.Answer(ctx) })

	<-ctx.Done()

	return o.ended(asked, out, context.Cause(ctx))
}

// ended returns how the lab has ended, before it has shown all or after: by request, or by a failure.
func (o options) ended(asked context.Context, out io.Writer, failed error) error {
	if asked.Err() == nil {
		return failed
	}

	fmt.Fprint(out, "\nEnding\n")

	if o.once {
		return errors.New("ended before every step had happened")
	}

	return nil
}

func show(ctx context.Context, s *scenario.Scenario, functions []process.Function, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, showTime)
	defer cancel()

	var admins []string
	for _, f := range functions {
		admins = append(admins, f.Admin)
	}

	if err := s.AwaitBearers(ctx); err != nil {
		return err
	}

	for _, step := range []struct {
		title string
		do    func(context.Context) error
	}{
		{"Provisioning two subscribers", s.Provision},
		{"Switching two handsets on", s.Register},
		{"Bob sends a message", s.Message},
		{"Alice calls bob", s.Call},
	} {
		fmt.Fprintf(out, "\n%s\n", step.title)

		if err := step.do(ctx); err != nil {
			return err
		}
	}

	if err := errors.Join(s.Costs(ctx), s.Ladders(ctx, admins), s.Associations(ctx)); err != nil {
		return err
	}

	fmt.Fprint(out, "\nAlice calls 112\n")

	return s.Emergency(ctx, admins)
}

// real returns where a handset that is not simulated finds the P-CSCF.
func real(o options) string {
	if len(o.gm) == 0 {
		return `another time, start with make lab ARGS="--gm ADDRESS --plmn MCC-MNC": docs/handset.md`
	}

	how := "with IPsec"
	if support := ipsec.Probe(ipsec.Options{Role: ipsec.PCSCF}); support.Missing != nil {
		how = fmt.Sprintf("without IPsec (%v)", support.Missing)
	}

	var at []string
	for _, a := range o.gm {
		at = append(at, netip.AddrPortFrom(a, scenario.Loopback.Gm().Port()).String())
	}

	return fmt.Sprintf("P-CSCF %s, UDP and TCP, %s: docs/handset.md", strings.Join(at, " and "), how)
}

func invite(out io.Writer, o options) {
	enter := ""
	if o.ipsec {
		wire := link.Numbered(o.link)
		enter = fmt.Sprintf("ip netns exec %s ", wire.Core)

		fmt.Fprintf(out, `
The core stays up, in a network namespace. Ctrl-C ends it.

  a shell where the core is      %[1]sbash
  where the handsets are         ip netns exec %[2]s bash; P-CSCF %[3]s, UDP and TCP
  a capture of the wire          %[1]stcpdump -i %[4]s -w gm.pcap
  its keys                       %[5]s, Wireshark's table esp_sa: docs/ipsec.md
  security associations          %[1]sip xfrm state; %[1]s%[6]s get /associations
`, enter, wire.Handsets, scenario.Link.Gm(), link.Device, scenario.KeysFile(o.data), filepath.Join(o.binaries, "pcscf"))
	} else {
		fmt.Fprintf(out, `
The core stays up. Ctrl-C ends it.

  P-CSCF for handsets and SIPp   %s, UDP and TCP; home domain %s
  a real handset                 %s
`, scenario.Loopback.Gm(), o.network.Domain(), real(o))
	}

	fmt.Fprintf(
		out,
		`  a subscriber                   %[1]s%[2]s subscriber add --imsi %[5]s --msisdn 15550003 %[7]s
  its account                    %[1]s%[3]s account add carol --identity tel:+15550003 --balance 1000
  alice and bob answer           tel:+15550001 and tel:+15550002, calls and messages
  the lab's emergency centre     112, 911, urn:service:sos, numbers that you configure: docs/emergency.md
%[8]s  what went over the wire        %[1]s%[6]s get /trace.pcapng >gm.pcapng; icscf, scscf, hss and ocs get /trace.pcapng have the rest
  who does not register, and why %[1]s%[2]s attempts
  what was charged               %[1]s%[3]s cdr list
  logs                           %[4]s
%[9]s%[10]s`,
		enter,
		filepath.Join(o.binaries, "hss"),
		filepath.Join(o.binaries, "ocs"),
		filepath.Join(o.data, "log"),
		o.network.IMSI(3),
		filepath.Join(o.binaries, "pcscf"),
		scenario.Keys,
		calling(o),
		asking(o, enter),
		lookingUp(o, enter),
	)
}

// asking returns how to look at the bearers of calls.
func asking(o options, enter string) string {
	if o.bearers == scenario.NoBearers {
		return ""
	}

	command := enter + filepath.Join(o.binaries, "pcscf")

	return fmt.Sprintf("  bearers of calls               %s get /bearers, and get /peers: docs/bearers.md\n", command)
}

// calling returns how the new subscriber calls bob, where that needs no address of its own on the wire.
func calling(o options) string {
	if o.ipsec {
		return ""
	}

	domain := ""
	if o.network != scenario.TestNetwork {
		domain = " --domain " + o.network.Domain()
	}

	return fmt.Sprintf("  the new subscriber calls       %s call tel:+15550002 --address 127.0.0.130:5060%s --imsi %s %s\n",
		filepath.Join(o.binaries, "ue"), domain, o.network.IMSI(3), scenario.Keys)
}
