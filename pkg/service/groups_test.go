package service

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// A command that does not exist is an error at every level, with the one that may be meant, also behind flags of that one.
func TestUnknownCommand(t *testing.T) {
	f := function(func(*Env) Runner { return &runner{} })

	for line, want := range map[string]string{
		"grup":            `unknown command "grup" for "probe": did you mean group?`,
		"group ad":        `unknown command "ad" for "probe group": did you mean add?`,
		"group ad --imsi": `unknown command "ad" for "probe group": did you mean add?`,
		"group xyz":       `unknown command "xyz" for "probe group": probe group --help lists those that there are`,
		"group --bogus":   "unknown flag: --bogus",
		"completion bsh":  `unknown command "bsh" for "probe completion": did you mean bash or fish or zsh?`,
		"group":           "",
		"group add":       "",
		"group --help":    "",
	} {
		t.Run(line, func(t *testing.T) {
			add := &cobra.Command{Use: "add", Args: cobra.NoArgs, Run: func(*cobra.Command, []string) {}}
			add.Flags().Bool("imsi", false, "of the command that is meant")

			group := &cobra.Command{Use: "group"}
			group.AddCommand(add)

			f.Commands = []*cobra.Command{group}
			command := Command(f)

			var out bytes.Buffer
			command.SetOut(&out)
			command.SetErr(io.Discard)
			command.SetArgs(strings.Fields(line))

			err := command.ExecuteContext(t.Context())
			if got := ""; want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
				if err != nil {
					got = err.Error()
				}
				t.Errorf("%q, want %q", got, want)
			}
			if help := strings.Contains(out.String(), "Usage:"); help != (line == "group" || line == "group --help") {
				t.Errorf("printed:\n%s", out.String())
			}
		})
	}
}
