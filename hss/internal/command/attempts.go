package command

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
)

func attempts() *cobra.Command {
	r := new(remote)
	c := &cobra.Command{
		Use: "attempts [IDENTITY]", Short: "list what handsets have tried of late, how far they came, and why no further",
		Long: "List what handsets have tried of late, how far they came, and why no further: those that are no subscribers here, too.\n\n" +
			spoken,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			identity := ""
			if len(args) > 0 {
				identity = args[0]
			}

			list, err := r.attempts(c, identity)
			if err != nil {
				return err
			}

			return r.show(c, list, func(w io.Writer) { printAttempts(w, identity, list) })
		},
	}
	r.flags(c)

	return c
}

// attempts returns the attempts of an identity, or all if it is "".
func (r *remote) attempts(c *cobra.Command, identity string) (list provisioning.AttemptList, err error) {
	path := "/attempts"
	if identity != "" {
		path += "?" + url.Values{"identity": {identity}}.Encode()
	}

	return list, r.do(c, http.MethodGet, path, nil, &list)
}

func printAttempts(w io.Writer, identity string, list provisioning.AttemptList) {
	if len(list.Attempts) == 0 {
		fmt.Fprintln(w, nothing(identity, list))
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

// nothing returns the text for a handset that the HSS was never asked about.
func nothing(identity string, list provisioning.AttemptList) string {
	of, others := "", ""

	switch {
	case identity == "":
	case len(list.Known) == 0:
		of = " of " + identity + ", which is no subscriber here,"
	default:
		of = " of " + strings.Join(list.Known, " or ")
	}

	switch {
	case list.Others == 1:
		others = "; one other handset has tried (hss attempts)"
	case list.Others > 1:
		others = fmt.Sprintf("; %d other handsets have tried (hss attempts)", list.Others)
	}

	return fmt.Sprintf("no REGISTER or attach%s has come as far as the HSS since it started (%s): docs/handset.md says what comes before%s",
		of, list.Since.Local().Format(time.DateTime), others)
}
