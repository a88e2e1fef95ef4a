package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/lab/internal/scenario"
)

// environmentCommand returns the command that prints the environment that the lab gives its functions, to run them without the lab.
func environmentCommand() *cobra.Command {
	var (
		network = scenario.TestNetwork
		gm      addresses
		data    string
	)

	c := &cobra.Command{
		Use: "environment", Short: "what the lab sets for its functions, to run them without it", Args: cobra.NoArgs,
		Long: "Print the variables that the lab sets for its functions, for a shell that runs them without the lab, with its subscribers:\n" +
			`eval "$(bin/lab environment)"; bin/pcscf. Flags are as those of the lab.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			place := scenario.Loopback
			place.Real = gm

			if network != scenario.TestNetwork {
				data = filepath.Join(data, network.String())
			}

			return printEnvironment(cmd.OutOrStdout(), place.Variables(network, data))
		},
	}
	c.Flags().Var(&network, "plmn", "whose network it is")
	c.Flags().Var(&gm, "gm", "an `address` of this machine, where real handsets find the P-CSCF; twice for IPv4 and IPv6")
	c.Flags().StringVar(&data, "data", "var", "folder of the lab's databases and logs")

	return c
}

// printEnvironment prints variables as a shell reads them.
func printEnvironment(out io.Writer, variables []string) error {
	slices.Sort(variables)

	for _, v := range slices.Compact(variables) {
		name, value, _ := strings.Cut(v, "=")
		if _, err := fmt.Fprintf(out, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`)); err != nil {
			return err
		}
	}

	return nil
}

// centreCommand returns the command that runs the lab's emergency centre alone.
func centreCommand() *cobra.Command {
	network := scenario.TestNetwork

	c := &cobra.Command{
		Use: "centre", Short: "the lab's emergency centre alone: it answers until Ctrl-C", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := &scenario.Scenario{Out: cmd.OutOrStdout(), Network: network}

			if err := s.OpenCentre(cmd.Context()); err != nil {
				return err
			}

			fmt.Fprintln(cmd.OutOrStdout(), "answering emergency calls, until Ctrl-C")
			<-cmd.Context().Done()

			return s.Close()
		},
	}
	c.Flags().Var(&network, "plmn", "whose network it is")

	return c
}
