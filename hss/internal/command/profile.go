package command

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
)

func profiles() *cobra.Command {
	r := new(remote)
	c := &cobra.Command{Use: "profile", Short: "show, list, change and delete service profiles and shared iFC sets"}
	r.flags(c)
	c.AddCommand(listProfiles(r), showProfile(r), setProfile(r), deleteProfile(r))

	return c
}

func listProfiles(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list service profiles and shared iFC sets", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var (
				list   provisioning.ProfileList
				shared provisioning.SharedSetList
			)

			if err := r.do(c, http.MethodGet, "/service-profiles", nil, &list); err != nil {
				return err
			}

			if err := r.do(c, http.MethodGet, "/shared-filter-criteria", nil, &shared); err != nil {
				return err
			}

			both := struct {
				provisioning.ProfileList
				provisioning.SharedSetList
			}{list, shared}

			return r.show(c, both, func(w io.Writer) {
				table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				defer table.Flush()

				fmt.Fprintln(table, "PROFILE\tCRITERIA\tSHARED SETS\tSERVES UNREGISTERED")

				for _, p := range list.ServiceProfiles {
					fmt.Fprintf(table, "%s\t%d\t%v\t%v\n", p.Name, len(p.FilterCriteria), p.SharedSets, p.UnregisteredServices)
				}

				for _, s := range shared.SharedFilterCriteria {
					fmt.Fprintf(table, "shared set %d\t%d\t\t\n", s.Number, len(s.FilterCriteria))
				}
			})
		},
	}
}

// resource returns the path of a profile by its name, or of a shared set by its number.
func resource(name string, shared bool) (string, error) {
	if !shared {
		return path("service-profiles", name), nil
	}

	if _, err := strconv.Atoi(name); err != nil {
		return "", fmt.Errorf("a shared iFC set has a number, not %q", name)
	}

	return path("shared-filter-criteria", name), nil
}

func showProfile(r *remote) *cobra.Command {
	var shared bool

	c := &cobra.Command{
		Use: "show NAME", Short: "show a service profile as JSON", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			at, err := resource(args[0], shared)
			if err != nil {
				return err
			}

			r.json = true

			var document any
			if err := r.do(c, http.MethodGet, at, nil, &document); err != nil {
				return err
			}

			return r.show(c, document, nil)
		},
	}
	c.Flags().BoolVar(&shared, "shared", false, "NAME is the number of a shared iFC set")

	return c
}

func setProfile(r *remote) *cobra.Command {
	var (
		shared bool
		file   string
	)

	c := &cobra.Command{
		Use:   "set NAME --file FILE",
		Short: "make or change a service profile from JSON or from XML (TS 29.228 annex E)",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			at, err := resource(args[0], shared)
			if err != nil {
				return err
			}

			content, err := readFile(c, file)
			if err != nil {
				return err
			}

			var body any

			switch {
			case bytes.HasPrefix(bytes.TrimSpace(content), []byte("<")):
				body = map[string]any{"xml": string(content)}
			case shared:
				body = new(provisioning.SharedSet)
				err = decodeFileContent(file, content, body)
			default:
				body = new(provisioning.ServiceProfile)
				err = decodeFileContent(file, content, body)
			}

			if err != nil {
				return err
			}

			if err := r.do(c, http.MethodPut, at, body, nil); err != nil {
				return err
			}

			fmt.Fprintf(c.OutOrStdout(), "%s is set\n", args[0])

			return nil
		},
	}
	c.Flags().BoolVar(&shared, "shared", false, "NAME is the number of a shared iFC set")
	c.Flags().StringVar(&file, "file", "", "JSON or XML, - for the standard input")
	_ = c.MarkFlagRequired("file") // fails only for a flag that does not exist

	return c
}

func deleteProfile(r *remote) *cobra.Command {
	var shared bool

	c := &cobra.Command{
		Use: "delete NAME", Short: "delete a service profile that no identity uses", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			at, err := resource(args[0], shared)
			if err != nil {
				return err
			}

			if err := r.do(c, http.MethodDelete, at, nil, nil); err != nil {
				return err
			}

			fmt.Fprintf(c.OutOrStdout(), "%s is deleted\n", args[0])

			return nil
		},
	}
	c.Flags().BoolVar(&shared, "shared", false, "NAME is the number of a shared iFC set")

	return c
}
