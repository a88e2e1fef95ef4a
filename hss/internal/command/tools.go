package command

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/hss/internal/app"
	"github.com/dialtone-ims/dialtone/hss/internal/authentication"
	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/hss/internal/vault"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// opc returns the command that computes a SIM's OPc from the operator's OP.
func opc() *cobra.Command {
	var k, op, algorithm string
	var keccak int

	c := &cobra.Command{
		Use: "opc --k K --op OP", Short: "compute the OPc of a SIM from its K and the operator's OP (TS 35.206, TS 35.231)",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			key, err := hex.DecodeString(k)
			if err != nil {
				return fmt.Errorf("--k: %w", err)
			}

			variant, err := hex.DecodeString(op)
			if err != nil {
				return fmt.Errorf("--op: %w", err)
			}

			if err := authentication.CheckLengths(0, keccak); err != nil {
				return fmt.Errorf("--keccak: %w", err)
			}

			derived, err := authentication.DeriveOPc(subscriber.Algorithm(algorithm), key, variant, keccak)
			if err != nil {
				return err
			}

			fmt.Fprintln(c.OutOrStdout(), hex.EncodeToString(derived))

			return nil
		},
	}
	c.Flags().StringVar(&k, "k", "", "key of the SIM, hexadecimal")
	c.Flags().StringVar(&op, "op", "", "OP (TOP of TUAK), hexadecimal")
	c.Flags().StringVar(&algorithm, "algorithm", string(subscriber.Milenage), "milenage or tuak")
	c.Flags().IntVar(&keccak, "keccak", 1, "iterations of TUAK")
	_ = c.MarkFlagRequired("k") // fail only for flags that do not exist
	_ = c.MarkFlagRequired("op")

	return c
}

// keys returns the command for the keys of the vault.
func keys() *cobra.Command {
	var file string

	c := &cobra.Command{Use: "key", Short: "the keys that K, OP, OPc and passwords are sealed with"}
	add := &cobra.Command{
		Use: "add", Short: "add a key; at its next start the HSS seals everything with it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			id, err := vault.AddKey(file)
			if err != nil {
				return err
			}

			fmt.Fprintf(c.OutOrStdout(), "key %d is added; restart the HSS, then older keys can be removed from %s\n", id, file)

			return nil
		},
	}
	defaults := app.Default()
	add.Flags().StringVar(&file, "key-file", defaults.KeyFile(), "database.key_file of the HSS")
	c.AddCommand(add)

	return c
}

func pushes() *cobra.Command {
	r := new(remote)

	var (
		before uint64
		limit  int
	)

	c := &cobra.Command{
		Use: "pushes", Short: "list what other nodes are or were told: RTR, PPR, CLR, IDR, DSR, RSR and PNR, the newest first",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			query := url.Values{}
			if before > 0 {
				query.Set("before", fmt.Sprint(before))
			}

			if limit > 0 {
				query.Set("limit", fmt.Sprint(limit))
			}

			var list provisioning.PushList
			if err := r.do(c, http.MethodGet, "/pushes?"+query.Encode(), nil, &list); err != nil {
				return err
			}

			defer httpapi.WriteMore(c.ErrOrStderr(), r.next)

			return r.show(c, list, func(w io.Writer) {
				table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				defer table.Flush()

				fmt.Fprintln(table, "ID\tCOMMAND\tTO\tIDENTITY\tSTATE\tATTEMPTS\tRESULT")

				for _, p := range list.Pushes {
					fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%d\t%s\n", p.ID, p.Command, p.ServerHost, p.PrivateIdentity, p.State, p.Attempts, p.Result)
				}
			})
		},
	}
	r.flags(c)
	c.Flags().Uint64Var(&before, "before", 0, "those before this number")
	c.Flags().IntVar(&limit, "limit", 0, "at most so many (100, up to 1000)")

	return c
}
