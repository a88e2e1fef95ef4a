package service

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// common is what the admin HTTP of every function answers to a GET.
var common = []string{"/config", "/debug/pprof/", "/debug/pprof/profile", "/healthz", "/metrics", "/readyz", "/trace", "/trace.pcapng"}

// Gets are the paths of those patterns of net/http that are for GET.
func Gets(patterns ...string) (paths []string) {
	for _, pattern := range patterns {
		if path, found := strings.CutPrefix(pattern, "GET "); found {
			paths = append(paths, path)
		}
	}

	return paths
}

// getCommand asks the process that runs with this configuration for what its admin HTTP shows: a client where there is no other, as in a
// container, and one that knows the token.
func getCommand[C any, P Configuration[C]](f Function[C]) *cobra.Command {
	var file string

	c := &cobra.Command{
		Use: "get PATH", Short: "print what the admin HTTP of the running process answers to a GET, as /metrics or /trace.pcapng",
		Long: "Print what the admin HTTP of the running process answers to a GET. PATH is one of\n\n  " +
			strings.Join(slices.Sorted(slices.Values(slices.Concat(common, f.Paths))), "\n  ") + "\n",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			settings := f.Default()
			if err := load[C, P](f, file, &settings); err != nil {
				return err
			}

			admin := P(&settings).common().Admin

			address, err := reachable(admin.Address)
			if err != nil {
				return err
			}

			client := httpapi.Client{Base: "http://" + address, Token: admin.Token}
			if client.Token == "" {
				client.Token = httpapi.TokenFor(client.Base, admin.TokenFile)
			}

			var next string
			client.Next = &next

			if err := client.Copy(cmd.Context(), "/"+strings.TrimPrefix(args[0], "/"), cmd.OutOrStdout()); err != nil {
				return err
			}

			if next != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "there is more: get '%s'\n", next)
			}

			return nil
		},
	}
	c.Flags().StringVar(&file, "config", "", "YAML file of the running process; without it the lab's defaults")

	return c
}
