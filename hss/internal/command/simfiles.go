package command

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/simfile"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/records"
)

func importSIMs(r *remote) *cobra.Command {
	var (
		format, op, profile string
		visited             []string
		after               int
		dry, pass           bool
	)

	c := &cobra.Command{
		Use: "import FILE...", Args: cobra.MinimumNArgs(1),
		Short: "add the SIMs of a vendor's file, or of another HSS's",
		Long: "Add the SIMs of a vendor's file, or of another HSS's: CSV that names its columns (sysmocom's, say), what\n" +
			"pySim-prog --write-csv has written, the answers of PyHSS to /auc/list and /ims_subscriber/list\n" +
			"(both files at once), mongoexport of Open5GS's subscribers, srsepc's user_db.csv, osmo-hlr's hlr.db.",
		Example: "  hss subscriber import sysmocom.csv\n" +
			"  mongoexport -d open5gs -c subscribers | hss subscriber import -\n" +
			"  hss subscriber import auc.json ims_subscriber.json",
		RunE: func(c *cobra.Command, names []string) error {
			if format != "" && !slices.Contains(simfile.Formats, simfile.Format(format)) {
				return fmt.Errorf("%q is none of the formats %v", format, simfile.Formats)
			}

			var files []simfile.File

			for _, name := range names {
				f, err := simfile.Open(name, c.InOrStdin())
				if err != nil {
					return err
				}

				files = append(files, f)
			}

			batch := records.Batch[provisioning.NewSubscriber]{
				What: "subscribers", Notes: c.ErrOrStderr(), Passed: after,
				Add: func(all []provisioning.NewSubscriber) (added records.Added, err error) {
					return added, r.do(c, http.MethodPost, bulk(pass), all, &added)
				},
			}

			leftOut := func(file string, line int, why string) {
				fmt.Fprintf(c.ErrOrStderr(), "%s: line %d is left out: %s\n", file, line, why)
			}

			if dry {
				fmt.Fprintln(c.OutOrStdout(), "imsi,msisdn")

				return simfile.Read(c.Context(), files, simfile.Format(format), func(s simfile.SIM) error {
					if s.OP == "" && s.OPc == "" && op == "" {
						return fmt.Errorf("line %d: %s has neither OP nor OPc: --op is needed", s.Line, s.IMSI)
					}

					_, err := fmt.Fprintf(c.OutOrStdout(), "%s,%s\n", s.IMSI, s.MSISDN)

					return err
				}, leftOut)
			}

			added, err := batch.End(simfile.Read(c.Context(), files, simfile.Format(format), func(s simfile.SIM) error {
				if s.OP == "" && s.OPc == "" {
					s.OP = op
				}

				return batch.Put(s.Line, newSIM(s, profile, visited))
			}, leftOut))
			if err != nil {
				return err
			}

			if err := r.showAdded(c, records.Added{Added: added, Skipped: batch.Skipped()}); err != nil || r.json || added == 0 {
				return err
			}

			_, err = fmt.Fprintln(c.ErrOrStderr(), "they have no accounts:", accountsOf(c, names, pass))

			return err
		},
	}

	f := c.Flags()
	f.StringVar(&format, "format", "", fmt.Sprintf("of the files: %s (default what they look like)", list(simfile.Formats)))
	f.StringVar(&op, "op", "", "OP of SIMs for which the file has neither OP nor OPc")
	f.StringVar(&profile, "profile", "", "service profile (default \"default\")")
	f.StringSliceVar(&visited, "visited", nil, "networks where they may be served (default all)")
	f.IntVar(&after, "after", 0, "only what is behind this `line`")
	skipFlag(c, &pass)
	f.BoolVar(&dry, "dry-run", false, "print IMSI and MSISDN of each SIM as CSV, and add nothing; keys are checked when they are added")

	return c
}

// accountsOf returns the commands that open accounts for the SIMs of these files. Where calls are charged, they get 402 until then.
func accountsOf(c *cobra.Command, names []string, pass bool) string {
	from := "hss subscriber import --dry-run"

	for _, name := range []string{"format", "op"} { // which reading them takes, too
		if f := c.Flags().Lookup(name); f.Changed {
			from += " --" + name + " " + f.Value.String()
		}
	}

	to := "ocs account add --file - --balance 1000"
	if pass {
		to += " --skip-existing"
	}

	return from + " " + strings.Join(names, " ") + " | " + to
}

// newSIM returns the subscriber made from a SIM.
func newSIM(s simfile.SIM, profile string, visited []string) provisioning.NewSubscriber {
	keys := provisioning.Authentication{K: s.K, OP: s.OP, OPc: s.OPc, AMF: s.AMF, SQN: s.SQN}
	if s.OPc != "" {
		keys.OP = "" // both say the same, and OPc is what the SIM has
	}

	return provisioning.NewSubscriber{
		IMSI: s.IMSI, MSISDN: s.MSISDN, ServiceProfile: profile, VisitedNetworks: visited, Authentication: keys,
	}
}

func exportSIMs(r *remote) *cobra.Command {
	var (
		format string
		ind    uint64
	)

	c := &cobra.Command{
		Use: "export", Args: cobra.NoArgs,
		Short: "print the SIMs with their keys, for another HSS",
		Long: "Print the SIMs with their keys, for another HSS: CSV as subscriber add --file and others read it,\n" +
			"srsepc's user_db.csv, or commands for osmo-hlr's terminal. The sequence numbers get another IND, so that both HSSs can serve a SIM.",
		Example: "  hss subscriber export > sims.csv\n  hss subscriber export --format osmo-hlr",
		RunE: func(c *cobra.Command, _ []string) error {
			to, err := simfile.NewWriter(simfile.Format(format), c.OutOrStdout())
			if err != nil {
				return err
			}

			for after := ""; ; {
				var found provisioning.SubscriberList
				if err := r.do(c, http.MethodGet, "/subscribers?"+url.Values{"after": {after}, "limit": {"500"}}.Encode(), nil, &found); err != nil {
					return err
				}

				for _, s := range found.Subscribers {
					if err := r.export(c, s, ind, to); err != nil {
						return err
					}

					after = s.Name
				}

				if found.Next == "" {
					return to.End()
				}
			}
		},
	}

	f := c.Flags()
	f.StringVar(&format, "format", string(simfile.CSV), list(simfile.Written))
	f.Uint64Var(&ind, "ind", 0, "IND of the other HSS, 0 to 31; not this one's authentication.ind")

	return c
}

// export writes the SIMs of a subscriber.
func (r *remote) export(c *cobra.Command, s provisioning.Subscriber, ind uint64, to *simfile.Writer) error {
	for _, p := range s.PrivateIdentities {
		keys := provisioning.Keys{}
		if err := r.do(c, http.MethodGet, path("subscribers", s.Name, "private-identities", p.Identity, "keys"), nil, &keys); err != nil {
			return err
		}

		if p.IMSI == "" || keys.Algorithm != subscriber.Milenage {
			fmt.Fprintf(c.ErrOrStderr(), "%s is left out: it is no SIM with Milenage\n", p.Identity)
			continue
		}

		sim := simfile.SIM{IMSI: p.IMSI, MSISDN: p.MSISDN, K: keys.K, OPc: keys.OPc, AMF: keys.AMF, SQN: keys.SQN}

		sim, err := sim.WithIND(ind)
		if err != nil {
			return fmt.Errorf("--ind: %w", err)
		}

		if err := to.Write(sim); err != nil {
			return err
		}
	}

	return nil
}

func list(formats []simfile.Format) string {
	var words []string
	for _, f := range formats {
		words = append(words, string(f))
	}

	return strings.Join(words, ", ")
}
