package service

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Strict makes a command line refuse commands that it does not have, at every level, and suggest those that may be meant. A group of
// commands alone prints its help.
func Strict(root *cobra.Command) {
	root.InitDefaultCompletionCmd() // a group, too
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if typed := c.Flags().Args(); c.HasSubCommands() && len(typed) > 0 { // the flag is one of the command that is meant
			return unknown(c, typed)
		}

		return err
	})
	strict(root)
}

func strict(c *cobra.Command) {
	if !c.HasSubCommands() {
		return
	}

	c.Args = unknown

	if !c.Runnable() {
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}

	for _, sub := range c.Commands() {
		strict(sub)
	}
}

// unknown returns the error for what is typed where a command is expected.
func unknown(c *cobra.Command, typed []string) error {
	if len(typed) == 0 {
		return nil
	}

	c.SuggestionsMinimumDistance = 2

	meant := c.SuggestionsFor(typed[0])
	if len(meant) == 0 {
		return fmt.Errorf("unknown command %q for %q: %s --help lists those that there are", typed[0], c.CommandPath(), c.CommandPath())
	}

	return fmt.Errorf("unknown command %q for %q: did you mean %s?", typed[0], c.CommandPath(), strings.Join(meant, " or "))
}
