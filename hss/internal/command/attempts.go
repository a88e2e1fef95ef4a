package command

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
)

func attempts() *cobra.Command {
	r := new(remote)
	c := &cobra.Command{
		Use: "attempts [PRIVATE-IDENTITY]", Short: "list what handsets have tried of late, how far they came, and why no further",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			private := ""
			if len(args) > 0 {
				private = args[0]
			}

			list, err := r.attempts(c, private)
			if err != nil {
				return err
			}

			return r.show(c, list, func(w io.Writer) { printAttempts(w, list) })
		},
	}
	r.flags(c)

	return c
}

// attempts asks for those of a private identity, or for all if it is "".
func (r *remote) attempts(c *cobra.Command, private string) (list provisioning.AttemptList, err error) {
	path := "/attempts"
	if private != "" {
		path += "?" + url.Values{"private_identity": {private}}.Encode()
	}

	return list, r.do(c, http.MethodGet, path, nil, &list)
}

func printAttempts(w io.Writer, list provisioning.AttemptList) {
	if len(list.Attempts) == 0 {
		fmt.Fprintln(w, nothing(list.Since))
		return
	}

	for _, a := range list.Attempts {
		fmt.Fprintf(w, "%s  %s\n", a.PrivateIdentity, a.PublicIdentity)

		for _, s := range a.Steps {
			fmt.Fprintf(w, "  %s  %-5s  %s", s.Time.Local().Format(time.TimeOnly), s.Result, s.Kind)

			if s.Reason != "" {
				fmt.Fprintf(w, ": %s", s.Reason)
			}

			fmt.Fprintln(w)
		}

		fmt.Fprintf(w, "  %s\n", a.Says)
	}
}

// nothing is said of a handset that the HSS has not been asked about.
func nothing(since time.Time) string {
	return fmt.Sprintf("no REGISTER has come as far as the HSS since it started (%s): docs/handset.md says what comes before",
		since.Local().Format(time.DateTime))
}
