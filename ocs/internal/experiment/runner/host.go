package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dialtone-ims/dialtone/ocs/internal/app"
	"github.com/dialtone-ims/dialtone/ocs/internal/clock"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/child"
	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/pkg/trace"
)

// host is the OCS of one run: started here, or there already. It can be killed and started anew on the same ledger.
type host struct {
	scenario *scenario.Scenario
	clock    clock.Clock
	folder   string // of its ledger
	binary   string // of a process of its own
	ro       string // address
	api      httpapi.Client
	stopped  func() error // ends what was started
	holder   holder       // of an OCS inside: its ledger
}

// holder tells what is reserved at this moment. The metric of a busy OCS may be as it was a while ago, which in virtual time is long.
type holder interface {
	Held(ctx context.Context) (int64, error)
}

// newHost returns the OCS of a run, which is not started yet.
func newHost(s *scenario.Scenario, c clock.Clock, folder, binary string) (*host, error) {
	h := &host{scenario: s, clock: c, folder: folder, binary: binary, ro: s.OCS.Address}
	h.api.Base, h.api.Token = s.OCS.API, s.OCS.Token

	if s.OCS.Run == scenario.None {
		return h, nil
	}

	admin, err := free()
	if err != nil {
		return nil, err
	}

	if h.ro, err = free(); err != nil {
		return nil, err
	}

	h.api.Base, h.api.Token = "http://"+admin, "experiment-"+filepath.Base(folder)

	return h, os.MkdirAll(folder, 0o700)
}

// free returns a free address of this machine.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()

	return l.Addr().String(), nil
}

// settings returns the configuration of an OCS that is started.
func (h *host) settings() app.Config {
	c := app.Default()
	o := &h.scenario.OCS

	c.Data, c.Credit, c.ReAuth = h.folder, o.Credit, o.ReAuth
	c.Admin = httpapi.DefaultConfig(h.api.Base[len("http://"):])
	c.Admin.Token = h.api.Token
	c.Log.Level = slog.LevelError
	c.Trace = trace.Config{}
	c.Diameter = diameter.DefaultConfig(o.Host, o.Realm())
	c.Diameter.Listen = []diameter.Listener{{Address: h.ro}}
	c.Diameter.Peers = []diameter.Peer{{Host: h.scenario.Client.Host, Realm: h.scenario.Client.Realm()}}

	return c
}

// start starts the OCS, and returns when it is ready.
func (h *host) start(ctx context.Context) error {
	switch h.scenario.OCS.Run {
	case scenario.Inside:
		return h.startInside(ctx)
	case scenario.Process:
		return h.startProcess(ctx)
	default:
		h.stopped = func() error { return nil }
		return nil
	}
}

func (h *host) startInside(ctx context.Context) error {
	c := h.settings()
	env := &service.Env{Name: "ocs", Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()}

	var err error
	if env.Admin, err = httpapi.Listen(c.Admin, env.Log); err != nil {
		return err
	}

	recorder, err := trace.NewRecorder(c.Trace, env.Log, env.Metrics)
	if err != nil {
		return err
	}

	runner, err := app.BuildWith(&c, env, ledger.Options{Clock: h.clock, Volatile: true})
	if err != nil {
		return err
	}

	h.holder, _ = runner.(holder)

	service.Observe(env, recorder, runner, c, nil)

	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it ends when it is stopped
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return env.Admin.Run(inner) })
	group.Go(func() error {
		defer cancel()
		return runner.Run(inner)
	})

	h.stopped = func() error {
		cancel()
		return errors.Join(group.Wait(), recorder.Close())
	}

	return nil
}

func (h *host) startProcess(ctx context.Context) error {
	var text bytes.Buffer
	if err := config.Print(&text, h.settings()); err != nil {
		return err
	}

	file := filepath.Join(h.folder, "ocs.yaml")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return err
	}

	command := exec.Command(h.binary, "--config", file) //nolint:gosec,noctx // our own binary, which is killed by stop
	command.Stderr = os.Stderr
	child.Bind(command, syscall.SIGKILL)

	if err := command.Start(); err != nil {
		return err
	}

	h.stopped = func() error {
		err := command.Process.Kill()
		_ = command.Wait() // it was killed

		return err
	}

	return await(ctx, "the OCS to be ready", func() bool { return h.api.Do(ctx, "GET", "/readyz", nil, nil) == nil })
}

// stop ends the OCS: a process of its own is killed at once, one inside between two requests.
func (h *host) stop() error {
	if h.stopped == nil {
		return nil
	}

	defer func() { h.stopped = nil }()

	return h.stopped()
}

const (
	patience = 30 * time.Second
	look     = 2 * time.Millisecond
)

// await waits until a condition holds.
func await(ctx context.Context, what string, condition func() bool) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()

	tick := time.NewTicker(look)
	defer tick.Stop()

	for !condition() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return fmt.Errorf("waited in vain for %s", what)
		case <-tick.C:
		}
	}

	return nil
}
