package service

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/pkg/config"
)

// configCommand returns the command that lists the settings.
func configCommand[C any](f Function[C]) *cobra.Command {
	return &cobra.Command{
		Use: "config", Short: "list every setting with its type and default", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			defaults := f.Default()
			fmt.Fprintln(table, "SETTING\tTYPE\tDEFAULT")

			for _, key := range config.Keys(&defaults) {
				fmt.Fprintf(table, "%s\t%s\t%s\n", key.Path, key.Type, key.Value)
			}

			return table.Flush()
		},
	}
}
