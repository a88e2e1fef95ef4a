package page

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/pkg/trace"
)

// Built builds a function as its binary does, with its admin HTTP and its metrics, and ends it with the test. It does not serve.
func Built[C any](t testing.TB, c *C, build func(context.Context, *C, *service.Env) (service.Runner, error)) *service.Env {
	t.Helper()

	env := &service.Env{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()}

	var err error
	if env.Admin, err = httpapi.Listen(httpapi.DefaultConfig("127.0.0.1:0"), env.Log); err != nil {
		t.Fatal(err)
	}

	recorder, err := trace.NewRecorder(trace.Config{}, env.Log, env.Metrics)
	if err != nil {
		t.Fatal(err)
	}

	runner, err := build(t.Context(), c, env)
	if err != nil {
		t.Fatal(err)
	}

	service.Observe(env, recorder, runner, *c, nil)
	t.Cleanup(func() {
		ctx, stop := context.WithCancel(context.Background())
		stop()

		if err := errors.Join(runner.Run(ctx), env.Admin.Run(ctx), recorder.Close()); err != nil { // which closes all
			t.Error(err)
		}
	})

	return env
}
