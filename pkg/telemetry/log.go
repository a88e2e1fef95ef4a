// Package telemetry makes the logger and the metrics registry of a function, the same way for all five.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// LogConfig is how much is logged, and in which form.
type LogConfig struct {
	Level  slog.Level `yaml:"level"`  // debug, info, warn, error
	Format string     `yaml:"format"` // text or json

	PerSecond int `yaml:"per_second"` // lines with the same message; more are counted in the next one; 0: no limit
}

// DefaultLog returns the configuration of the lab: no load, whatever it does wrong, drowns the rest of the log.
func DefaultLog() LogConfig {
	return LogConfig{Level: slog.LevelInfo, Format: "text", PerSecond: 50}
}

// Validate returns an error if the format does not exist, or the limit is negative.
func (c *LogConfig) Validate() error {
	if c.Format != "text" && c.Format != "json" {
		return fmt.Errorf("log.format: %q is neither text nor json", c.Format)
	}

	if c.PerSecond < 0 {
		return fmt.Errorf("log.per_second: %d is negative", c.PerSecond)
	}

	return nil
}

// NewLogger returns a logger that writes to w. Every line names the function.
func NewLogger(w io.Writer, function string, c LogConfig) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Level}

	var handler slog.Handler = slog.NewTextHandler(w, options)
	if c.Format == "json" {
		handler = slog.NewJSONHandler(w, options)
	}

	if c.PerSecond > 0 {
		handler = newSparing(handler, c.PerSecond)
	}

	return slog.New(handler).With("function", function)
}

// NewRegistry returns a registry with the metrics of the Go runtime and the process. The function adds its own.
func NewRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)

	return registry
}
