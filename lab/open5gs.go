package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/lab/internal/open5gs"
	"github.com/dialtone-ims/dialtone/lab/internal/scenario"
	"github.com/dialtone-ims/dialtone/pkg/records"
)

// open5gsCommand returns the command that prints what a packet core beside the lab needs.
func open5gsCommand() *cobra.Command {
	var (
		network = scenario.TestNetwork
		pcscf   addresses
		dns     addresses
		pools   []string
		pcrf    = netip.MustParseAddr("127.0.0.9")
		pcf     = netip.MustParseAddr("127.0.0.13")
		nrf     netip.Addr
		hss     netip.Addr
		gateway addresses
		realm   string
		sims    string
		only    string
	)

	c := &cobra.Command{
		Use: "open5gs --gm ADDRESS", Args: cobra.NoArgs,
		Short: "what an Open5GS beside the lab needs in its files, its database, and on its machine",
		Long: "What an Open5GS beside the lab needs in its files, its database, and on its machine, so that handsets come to the P-CSCF, and " +
			"calls to their bearers (docs/handset.md). Nothing is changed: it is printed.",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if len(pcscf) == 0 {
				return errors.New("--gm ADDRESS is needed: where handsets find the P-CSCF")
			}

			n := network.Open5GS()
			n.PCSCF, n.DNS, n.PCRF, n.PCF, n.NRF, n.HSS, n.Gateway, n.Realm = pcscf, dns, pcrf, pcf, nrf, hss, gateway, realm

			for flag, at := range map[string]*netip.Addr{"pcrf": &n.PCRF, "pcf": &n.PCF} {
				if len(gateway) > 0 && !cmd.Flags().Changed(flag) { // which is on the same machine
					*at = gateway[0]
				}
			}

			for _, text := range pools {
				pool, err := netip.ParsePrefix(text)
				if err != nil {
					return fmt.Errorf("--pool %s: it is no network: its length belongs to it, as in 10.46.0.0/16", text)
				}

				n.Pools = append(n.Pools, pool)
			}

			if sims != "" {
				if n.SIMs, err = readSIMs(sims, cmd.InOrStdin()); err != nil {
					return err
				}
			}

			if err := n.Validate(); err != nil {
				return err
			}

			if count, first := n.Strangers(); count > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %d of %d SIMs are not of the network %s, such as %s: --plmn\n",
					count, len(n.SIMs), &network, first)
			}

			return printSections(cmd.OutOrStdout(), n.Sections(), only)
		},
	}
	c.Flags().Var(&network, "plmn", "whose network it is: that of your SIMs")
	c.Flags().Var(&pcscf, "gm", "where handsets find the P-CSCF; twice for IPv4 and IPv6")
	c.Flags().StringSliceVar(&pools, "pool", []string{"10.46.0.0/16"}, "`network` of the addresses in the APN ims; twice for IPv4 and IPv6")
	c.Flags().Var((*oneAddress)(&pcrf), "pcrf", "`address` of Open5GS's PCRF, if it is not at that of the gateway")
	c.Flags().Var((*oneAddress)(&pcf), "pcf", "`address` of Open5GS's PCF, if it is not at that of the gateway")
	c.Flags().Var((*oneAddress)(&nrf), "nrf", "`address` of Open5GS's NRF, if the P-CSCF is to find the PCF by it, as where there are several")
	c.Flags().StringVar(&realm, "realm", "localdomain", "Realm of Open5GS's Diameter nodes, if it is not the one that they come with")
	c.Flags().Var((*oneAddress)(&hss), "s6a", "`address` of the lab's machine at which the MME asks the lab's HSS, in place of Open5GS's")
	c.Flags().Var(&gateway, "gateway", "`address` of the machine of Open5GS, if it is not that of the lab; twice for IPv4 and IPv6")
	c.Flags().Var(&dns, "dns", "name server that handsets are told; may be repeated")
	c.Flags().StringVar(
		&sims, "sims", "", "`file` of SIMs, as hss subscriber export has them, - for the standard input; alice's and bob's without it",
	)
	c.Flags().StringVar(&only, "only", "", "print this `part` alone, without its title")

	return c
}

func printSections(out io.Writer, all []open5gs.Section, only string) error {
	var names []string

	for _, s := range all {
		names = append(names, s.Name)

		switch only {
		case "":
			fmt.Fprintf(out, "== %s: %s\n\n%s\n", s.Name, s.Why, s.Text)
		case s.Name:
			fmt.Fprint(out, s.Text)
			return nil
		}
	}

	if only != "" {
		return fmt.Errorf("--only %s: there are %s", only, strings.Join(names, ", "))
	}

	return nil
}

// readSIMs reads SIMs from CSV or JSON lines.
func readSIMs(name string, stdin io.Reader) (sims []open5gs.SIM, err error) {
	from, err := records.Open(name, stdin)
	if err != nil {
		return nil, err
	}
	defer from.Close()

	err = records.Read(from, nil, func(r records.Record) error {
		text := func(field string) (value string) {
			_ = json.Unmarshal(r.Fields[field], &value) // anything but text counts as missing
			return value
		}

		s := open5gs.SIM{
			IMSI: text("imsi"), MSISDN: text("msisdn"), K: text("k"), OP: text("op"), OPc: text("opc"), AMF: text("amf"),
		}
		if s.IMSI == "" || s.K == "" || s.OP == "" && s.OPc == "" {
			return fmt.Errorf("line %d: a SIM has imsi, k, and op or opc", r.Line)
		}

		if s.AMF == "" {
			s.AMF = "8000"
		}

		if sqn := text("sqn"); sqn != "" {
			if s.SQN, err = strconv.ParseUint(sqn, 16, 48); err != nil {
				return fmt.Errorf("line %d: %q is no sequence number", r.Line, sqn)
			}
		}

		sims = append(sims, s)

		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}

	return sims, nil
}
