// Package service runs a function's process: flags, configuration, logger, metrics, trace, admin HTTP, signals.
// A function adds its configuration and how it is built.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/processors"
	"github.com/dialtone-ims/dialtone/pkg/telemetry"
	"github.com/dialtone-ims/dialtone/pkg/trace"
)

// Common is the part of the configuration common to all functions; it is embedded with `yaml:",inline"`.
type Common struct {
	Admin httpapi.Config      `yaml:"admin"`
	Log   telemetry.LogConfig `yaml:"log"`
	Trace trace.Config        `yaml:"trace"`
}

// DefaultCommon returns the defaults of the lab: text logs, the last 10,000 messages kept.
func DefaultCommon(adminAddress string) Common {
	return Common{
		Admin: httpapi.DefaultConfig(adminAddress),
		Log:   telemetry.DefaultLog(),
		Trace: trace.Config{Ring: 10_000},
	}
}

// Validate checks the shared part; a function's Validate calls it first.
func (c *Common) Validate() error {
	return errors.Join(c.Admin.Validate(), c.Log.Validate(), c.Trace.Validate())
}

func (c *Common) common() *Common { return c }

// Configuration is a pointer to a struct that embeds Common.
type Configuration[C any] interface {
	*C
	config.Validator
	common() *Common
}

// Env is what a function is built with.
type Env struct {
	Name    string
	Log     *slog.Logger
	Metrics *prometheus.Registry
	Tap     trace.Tap // nil if tracing is off
	Admin   *httpapi.Server
}

// Runner is a built function. Run returns once ctx has ended and all is closed; Ready returns what it still waits for.
type Runner interface {
	Run(ctx context.Context) error
	Ready() error
}

// Function describes one binary.
type Function[C any] struct {
	Name     string // "hss"
	Short    string // one line for --help
	Long     string
	Default  func() C
	Build    func(ctx context.Context, c *C, env *Env) (Runner, error)
	OpenAPI  []byte               // the description of its admin HTTP
	Commands []*cobra.Command     // further commands, such as `hss subscriber`
	Flags    func(*cobra.Command) // further flags, if any
}

// UntilSignal returns a context that ends with a signal that asks a process to end: SIGINT, SIGTERM, and SIGHUP, which comes when a
// terminal is closed, unless it is ignored, as under nohup.
func UntilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}

	return signal.NotifyContext(parent, signals...)
}

// Main runs the function until a signal asks it to end, and ends the process.
func Main[C any, P Configuration[C]](f Function[C]) {
	ctx, stop := UntilSignal(context.Background())

	err := Command[C, P](f).ExecuteContext(ctx)
	stop()

	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", f.Name, err)
		os.Exit(1)
	}
}

type flags struct {
	config      string
	logLevel    string
	checkConfig bool
	printConfig bool
	healthy     bool
}

// Command returns the function's command line.
func Command[C any, P Configuration[C]](f Function[C]) *cobra.Command {
	var given flags

	command := &cobra.Command{
		Use:           f.Name,
		Short:         f.Short,
		Long:          f.Long,
		Version:       Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run[C, P](cmd.Context(), f, given, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}

	command.Flags().StringVar(&given.config, "config", "", "YAML file; without it the lab's defaults")
	command.Flags().StringVar(&given.logLevel, "log-level", "", "debug, info, warn or error, over the configuration")
	command.Flags().BoolVar(&given.checkConfig, "check-config", false, "check the configuration and end")
	command.Flags().BoolVar(&given.printConfig, "print-config", false, "print the configuration in force as YAML and end")
	command.Flags().BoolVar(
		&given.healthy,
		"healthy",
		false,
		"ask the running process of this configuration whether it is ready and end, with status 0 if it is",
	)
	command.AddCommand(f.Commands...)
	command.AddCommand(getCommand[C, P](f), configCommand(f))

	if f.Flags != nil {
		f.Flags(command)
	}

	Strict(command)

	return command
}

func run[C any, P Configuration[C]](ctx context.Context, f Function[C], given flags, out, logs io.Writer) error {
	settings := f.Default()
	if err := load[C, P](f, given.config, &settings); err != nil {
		return err
	}

	common := P(&settings).common()

	if given.logLevel != "" {
		if err := common.Log.Level.UnmarshalText([]byte(given.logLevel)); err != nil {
			return fmt.Errorf("--log-level: %w", err)
		}
	}

	switch {
	case given.printConfig:
		return config.Print(out, settings)
	case given.checkConfig:
		_, err := fmt.Fprintln(out, "the configuration is good")
		return err
	case given.healthy:
		return healthy(ctx, common.Admin)
	}

	return f.serve(ctx, &settings, common, logs)
}

// load reads the configuration of a process of the function from this file and the environment.
func load[C any, P Configuration[C]](f Function[C], file string, into *C) error {
	return config.Load(file, "DIALTONE_"+strings.ToUpper(f.Name)+"_", os.Environ(), P(into))
}

func (f Function[C]) serve(ctx context.Context, settings *C, common *Common, logs io.Writer) error {
	env := &Env{Name: f.Name, Log: telemetry.NewLogger(logs, f.Name, common.Log), Metrics: telemetry.NewRegistry()}

	recorder, err := trace.NewRecorder(common.Trace, env.Log, env.Metrics)
	if err != nil {
		return err
	}

	env.Tap = recorder.Tap()

	admin := common.Admin
	if admin.Token == "" && admin.TokenFile == "" {
		if admin.TokenFile, err = httpapi.MakeDefaultToken(); err != nil {
			env.Log.Warn(
				"the token of the admin HTTP cannot be kept: this process has one that nobody knows; set admin.token or admin.token_file",
				"cause", err,
			)
		}
	}

	if env.Admin, err = httpapi.Listen(admin, env.Log); err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	runner, err := f.Build(ctx, settings, env)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) { // asked to end before it began
		env.Log.Info("stopped", "cause", "ended during the start")
		return recorder.Close()
	}

	if err != nil {
		return err
	}

	Observe(env, recorder, runner, *settings, f.OpenAPI)
	env.Log.Info("starting", "version", Version(), "address", env.Admin.Address().String(), "file", admin.TokenFile)

	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}

	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory)
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { processors.Govern(ctx); return nil })
	group.Go(func() error { return env.Admin.Run(ctx) })
	group.Go(func() error {
		defer cancel() // the admin port ends with the function
		return runner.Run(ctx)
	})

	err = errors.Join(group.Wait(), recorder.Close())
	env.Log.Info("stopped", "cause", err)

	return err
}

// collectAt is the garbage, in percent of what lives, at which it is collected: messages make much garbage, and little of it lives. GOGC
// and GOMEMLIMIT take precedence.
const collectAt = 400

// memory is the size in octets from which garbage is collected sooner: a flood must not take a laptop's memory four times over.
const memory = 1 << 30

var version string // set by the linker if the build does not see the repository, as in a container

// Version returns the module version or the commit that the binary was built from.
func Version() string {
	if version != "" {
		return version
	}

	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}

	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value[:min(12, len(setting.Value))]
		}
	}

	return info.Main.Version
}
