// Command ue is a simulated handset on the command line: it registers, and calls, answers or sends a message.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/ue/handset"
	"github.com/dialtone-ims/dialtone/ue/namespace"
)

type options struct {
	imsi, domain, k, opc, op, address, proxy, transport string
	imei                                                string
	emergency, unregistered                             bool
	nameservers                                         []string
	sqn                                                 uint64
	expires                                             uint32
	namespace                                           string
	ipsec                                               bool
	algorithms                                          []string
}

func main() {
	ctx, stop := service.UntilSignal(context.Background())
	defer stop()

	signal.Ignore(syscall.SIGPIPE) // a closed output does not end the call

	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	var o options

	root := &cobra.Command{
		Use: "ue", Short: "a simulated handset", SilenceUsage: true, SilenceErrors: true, Version: service.Version(),
		Long: "A simulated handset: it registers, does what it is told, and de-registers. Ctrl-C, SIGTERM or SIGHUP cancels a call " +
			"that is not answered, hangs up one that is, and de-registers; a second one ends it at once.",
	}
	flags := root.PersistentFlags()
	flags.StringVar(&o.imsi, "imsi", "001010000000001", "IMSI of the SIM")
	flags.StringVar(&o.domain, "domain", config.Home(), "home network domain")
	flags.StringVar(&o.k, "k", "", "K, 32 hexadecimal digits")
	flags.StringVar(&o.opc, "opc", "", "OPc, 32 hexadecimal digits")
	flags.StringVar(&o.op, "op", "", "OP instead of OPc")
	flags.Uint64Var(&o.sqn, "sqn", 0, "highest SQN that the SIM has accepted")
	flags.StringVar(&o.address, "address", "127.0.0.110:5060", "where the handset is")
	flags.StringVar(&o.proxy, "pcscf", "", "P-CSCF: an address with its port, or a name; without it "+labProxy+", or pcscf.DOMAIN with --dns")
	flags.StringSliceVar(
		&o.nameservers, "dns", nil, "name server (port 53 unless it has one) that the P-CSCF's name is looked up at; the system's without it",
	)
	flags.StringVar(&o.transport, "transport", "", "udp or tcp; without it what DNS has for the name of the P-CSCF, else udp")
	flags.Uint32Var(&o.expires, "expires", 3600, "seconds to be registered for")
	flags.BoolVar(&o.emergency, "emergency", false, "register for emergency calls alone (sos), beside any other registration")
	flags.StringVar(&o.imei, "imei", "", "IMEI of the handset, 15 digits; without it one that is derived from the IMSI")
	flags.StringVar(&o.namespace, "netns", "", "network `namespace` that the handset is in (ip netns)")
	flags.BoolVar(
		&o.ipsec,
		"ipsec",
		false,
		"security associations with the P-CSCF (TS 33.203), which must be on another network namespace or machine",
	)
	flags.StringSliceVar(
		&o.algorithms,
		"algorithms",
		nil,
		"`integrity/encryption` that the handset offers, by preference; without it all that the kernel has",
	)

	var talk time.Duration

	call := &cobra.Command{
		Use:   "call URI|NUMBER",
		Short: "register, call, hang up",
		Long: "Register, call, hang up. Emergency calls (112, 911, urn:service:sos.police) are made with the normal registration, with one\n" +
			"for emergency calls (--emergency), or without any (--unregistered), as by a handset without a SIM: docs/emergency.md.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := party(args[0], o.domain)
			if err != nil {
				return err
			}

			return o.with(cmd.Context(), func(ctx context.Context, h *handset.Handset) error {
				c, err := h.Dial(ctx, target)
				if err != nil {
					return alternative(err)
				}

				fmt.Println("answered")

				select {
				case <-time.After(talk):
					return hangUp(ctx, c)
				case <-c.Ended():
					return ended(c)
				case <-ctx.Done():
					return hangUp(ctx, c)
				}
			})
		},
	}
	call.Flags().DurationVar(&talk, "talk", 5*time.Second, "how long to talk")
	call.Flags().BoolVar(&o.unregistered, "unregistered", false, "call without a registration and without a SIM, known by the IMEI alone")

	root.AddCommand(
		call,
		&cobra.Command{
			Use:   "register",
			Short: "register, and de-register at Ctrl-C",
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return o.with(cmd.Context(), func(ctx context.Context, _ *handset.Handset) error {
					<-ctx.Done()
					return nil
				})
			},
		},
		&cobra.Command{
			Use:   "answer",
			Short: "register, and answer calls and print messages until Ctrl-C",
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return o.with(cmd.Context(), answer)
			},
		},
		&cobra.Command{
			Use:   "message URI|NUMBER TEXT",
			Short: "register, and send a message",
			Args:  cobra.ExactArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error {
				target, err := party(args[0], o.domain)
				if err != nil {
					return err
				}

				return o.with(cmd.Context(), func(ctx context.Context, h *handset.Handset) error {
					response, err := h.Message(ctx, target, args[1])
					if err != nil {
						return err
					}

					if !response.IsSuccess() {
						return &handset.Refused{Response: response}
					}

					fmt.Println(response.StatusCode, response.Reason)

					return nil
				})
			},
		},
	)

	service.Strict(root)

	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "ue:", err)
		stop()
		os.Exit(1) //nolint:gocritic // nothing is left to do
	}
}

var separators = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "")

// ended prints that the other side has ended a call, or returns an error if the network has.
func ended(c *handset.Call) error {
	if c.Forced() {
		return errors.New("ended by the network: " + c.Why())
	}

	fmt.Println(strings.TrimSpace("ended by the other side " + c.Why()))

	return nil
}

// alternative adds to a refusal by 380 what the network wants instead.
func alternative(err error) error {
	refused, is := errors.AsType[*handset.Refused](err)
	if !is {
		return err
	}

	switch a, told := refused.Alternative(); {
	case !told:
		return err
	case a.Action == handset.RegisterForEmergency:
		return fmt.Errorf("%w: the network wants an emergency registration first: call again with --emergency", err)
	default:
		return fmt.Errorf("%w: the network wants this call by another domain, such as the circuit-switched one", err)
	}
}

func hangUp(ctx context.Context, c *handset.Call) error {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()

	return c.HangUp(end)
}

func answer(ctx context.Context, h *handset.Handset) error {
	h.Automatic(ctx, say)

	return nil
}

func say(line string) { fmt.Println(line) }

// party returns the called URI: of a URI, a number as dialled on a telephone, a user, or USER@DOMAIN. A number without + is local to the
// home network, as handsets send it (TS 24.229 §5.1.2A.1.5); visual separators are left out (RFC 3966 §5.1.1).
func party(target, domain string) (string, error) {
	target = strings.TrimSpace(target)

	scheme, rest, uri := strings.Cut(target, ":")
	if uri && strings.EqualFold(scheme, "tel") {
		number, parameters, more := strings.Cut(rest, ";")
		target = "tel:" + separators.Replace(number)

		if more {
			target += ";" + parameters
		}
	}

	if uri && !strings.ContainsAny(target, " <>") {
		return target, nil
	}

	written := separators.Replace(target)
	digits, plus := strings.CutPrefix(written, "+")
	number := digits != "" && strings.Trim(digits, "0123456789") == ""

	meant := ims.ParseWritten(target, domain).Public

	switch {
	case number && plus:
		return "tel:" + written, nil
	case number:
		return "tel:" + digits + ";phone-context=" + domain, nil
	case plus || len(meant) == 0 || strings.ContainsAny(target, " <>"):
		return "", fmt.Errorf("%q is no party: tel:+15550002, sip:USER@DOMAIN, a number, or a user of %s", target, domain)
	default:
		return meant[0], nil
	}
}

// with registers a handset and runs do.
func (o options) with(ctx context.Context, do func(context.Context, *handset.Handset) error) error {
	c, err := o.config(ctx)
	if err != nil {
		return err
	}

	if o.namespace != "" {
		c.Network = namespace.Network(o.namespace)
	}

	if o.ipsec {
		kernel, err := ipsec.Open(ipsec.Options{Role: ipsec.UE, Namespace: o.namespace})
		if err != nil {
			return err
		}
		defer kernel.Close()

		if c.Security, err = o.security(kernel); err != nil {
			return err
		}
	}

	h, err := handset.New(c)
	if err != nil {
		return err
	}
	defer h.Close()

	if o.unregistered {
		fmt.Println("not registered, and known by", c.Instance)
		return do(ctx, h)
	}

	if err := h.Register(ctx); err != nil {
		return fmt.Errorf("not registered: %w", err)
	}

	if o.emergency {
		fmt.Print("for emergency calls ")
	}

	fmt.Println("registered as", strings.Join(h.Identities(), " "))

	failed := do(ctx, h)

	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()

	if err := h.Deregister(end); err != nil {
		failed = errors.Join(failed, fmt.Errorf("not de-registered: %w", err))
	}

	return failed
}

const endTime = 5 * time.Second // for the requests at the end: CANCEL, BYE, and the de-REGISTER
