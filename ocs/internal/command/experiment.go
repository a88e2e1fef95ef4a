package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/report"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/runner"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
)

// experiment returns the commands of charging experiments: they need no running OCS.
func experiment() *cobra.Command {
	group := &cobra.Command{
		Use: "experiment", Short: "charging experiments: subscribers, quotas and failures in real or virtual time, figures and plots",
	}

	var (
		chosen  scenario.Options
		options runner.Options
	)

	run := &cobra.Command{
		Use: "run FILE", Short: "run the experiment of a scenario, or go on with it", Args: cobra.ExactArgs(1),
		Long: "Runs the experiment of a scenario (docs/experiments). Results and a report are in --out, also after Ctrl-C:\n" +
			"run it again to go on. The same seed gives the same figures, in virtual time to the last digit.",
		RunE: func(cmd *cobra.Command, args []string) error {
			options.Progress = cmd.ErrOrStderr()
			return runExperiment(cmd, args[0], chosen, options)
		},
	}
	flags := run.Flags()
	flags.StringVar(&options.Folder, "out", "", "folder of the results (default var/experiments/NAME OF THE FILE)")
	flags.IntVar(&options.Parallel, "parallel", 0, "runs at a time (default one for each processor, in real time one)")
	flags.BoolVar(&options.Fresh, "fresh", false, "begin anew: drop the results in the folder")
	parameters(run, &chosen)

	check := &cobra.Command{
		Use: "check FILE", Short: "read a scenario and show its points", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := scenario.Load(args[0], chosen)
			if err != nil {
				return err
			}

			points, err := s.Points()
			if err != nil {
				return err
			}

			for _, p := range points {
				line := fmt.Sprintf("%s, %d times %s", p.Name, s.Repetitions, scenario.Short(p.Scenario.Duration))

				for _, set := range chosen.Set {
					name, _, _ := strings.Cut(set, "=")

					value, err := p.Scenario.Get(name)
					if err != nil {
						return err
					}

					line += fmt.Sprintf(", %s=%s", name, value)
				}

				fmt.Fprintln(cmd.OutOrStdout(), line)
			}

			return nil
		},
	}
	parameters(check, &chosen)

	group.AddCommand(run, check)

	return group
}

func parameters(cmd *cobra.Command, chosen *scenario.Options) {
	flags := cmd.Flags()
	flags.BoolVar(&chosen.Short, "short", false, "the short form of the scenario, which takes seconds")
	flags.IntVar(&chosen.Repetitions, "repetitions", 0, "of each point, instead of those of the scenario")
	flags.Uint64Var(&chosen.Seed, "seed", 0, "instead of that of the scenario")
	flags.StringArrayVar(
		&chosen.Set,
		"set",
		nil,
		"another value of a parameter: `quota=30s`, or by its path: client.failure=retry; may be repeated",
	)
}

func runExperiment(cmd *cobra.Command, file string, chosen scenario.Options, o runner.Options) error {
	s, err := scenario.Load(file, chosen)
	if err != nil {
		return err
	}

	if o.Folder == "" {
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		o.Folder = filepath.Join("var", "experiments", name)
	}

	if o.Binary, err = os.Executable(); err != nil {
		return err
	}

	points, err := s.Points()
	if err != nil {
		return err
	}

	runs, failure := runner.Run(cmd.Context(), s, o)
	if failure != nil && len(runs) == 0 {
		return failure
	}

	missing := len(points)*s.Repetitions - len(runs)
	if err := report.Write(o.Folder, s, runs, missing); err != nil {
		return errors.Join(failure, err)
	}

	fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(o.Folder, "report.html"))

	if errors.Is(failure, context.Canceled) && cmd.Context().Err() != nil {
		return fmt.Errorf("stopped: %d of %d runs are missing; run it again to go on", missing, len(points)*s.Repetitions)
	}

	return failure
}
