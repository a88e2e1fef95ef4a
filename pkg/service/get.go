package service

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// gets returns the paths of an OpenAPI description with a GET.
func gets(description []byte) (paths []string) {
	var described struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}

	_ = json.Unmarshal(description, &described) // it is part of the program, and a test checks it

	for path, methods := range described.Paths {
		if methods["get"] != nil {
			paths = append(paths, path)
		}
	}

	slices.Sort(paths)

	return paths
}

// getCommand returns the command that reads the admin HTTP of the process with this configuration: a client where there is no other, as in
// a container, and one that knows the token.
func getCommand[C any, P Configuration[C]](f Function[C]) *cobra.Command {
	var file string

	c := &cobra.Command{
		Use: "get PATH", Short: "print what the admin HTTP of the running process answers to a GET, as /metrics or /trace.pcapng",
		Long: "Print what the admin HTTP of the running process answers to a GET. PATH is one of\n\n  " +
			strings.Join(gets(f.OpenAPI), "\n  ") + "\n",
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
