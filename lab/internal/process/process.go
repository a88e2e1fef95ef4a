// Package process runs the five functions as child processes, each with its own log, and stops them together.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/child"
)

// Function is one of the five.
type Function struct {
	Name        string
	Admin       string   // base of its admin HTTP
	Listens     string   // for people
	Environment []string // overrides of its defaults
}

// Running is a function that was started.
type Running struct {
	Function
	LogFile string
	command *exec.Cmd
	ended   chan struct{}
	err     error
}

// Start starts the binary of a function from the folder binaries; its log is written in data.
func Start(f Function, binaries, data string) (*Running, error) {
	if err := os.MkdirAll(filepath.Join(data, "log"), 0o755); err != nil {
		return nil, err
	}

	if ready, _ := (&Running{Function: f}).ready(context.Background()); ready {
		return nil, fmt.Errorf("%s: something answers at %s already: is another lab running?", f.Name, f.Admin)
	}

	r := &Running{Function: f, LogFile: filepath.Join(data, "log", f.Name+".log"), ended: make(chan struct{})}

	log, err := os.Create(r.LogFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()

	r.command = exec.Command(filepath.Join(binaries, f.Name))
	r.command.Stdout, r.command.Stderr = log, log
	r.command.Env = append(os.Environ(), f.Environment...)
	r.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches the lab alone, which stops them in order
	child.Bind(r.command, syscall.SIGTERM)

	if err := r.command.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}

	go func() {
		r.err = r.command.Wait()
		close(r.ended)
	}()

	return r, nil
}

// Ended is the error of a function that has ended by itself.
type Ended struct{ Function *Running }

// Error returns how it has ended, with the end of its log.
func (e *Ended) Error() string {
	r := e.Function

	status := "exit status 0"
	if r.err != nil {
		status = r.err.Error()
	}

	return fmt.Sprintf("%s has ended (%s); %s", r.Name, status, r.tail())
}

// AwaitReady waits until the function is ready.
func (r *Running) AwaitReady(ctx context.Context) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()

	last := "no answer"

	for {
		select {
		case <-r.ended:
			return &Ended{r}
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return context.Cause(ctx)
			}

			return fmt.Errorf("%s is not ready: %s; %s", r.Name, last, r.tail())
		case <-ticker.C:
		}

		ready, said := r.ready(ctx)
		if ready {
			return nil
		}

		if ctx.Err() == nil {
			last = said
		}
	}
}

func (r *Running) ready(ctx context.Context) (bool, string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Admin+"/readyz", nil)
	if err != nil {
		return false, err.Error()
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err.Error()
	}
	defer response.Body.Close()

	body, _ := io.ReadAll(io.LimitReader(response.Body, 1000))

	return response.StatusCode == http.StatusOK, string(body)
}

// tail returns the end of the log.
func (r *Running) tail() string {
	const most = 2000

	text, err := os.ReadFile(r.LogFile)
	if err != nil {
		return err.Error()
	}

	if len(text) > most {
		text = text[len(text)-most:]

		if _, whole, found := bytes.Cut(text, []byte("\n")); found {
			text = whole
		}
	}

	return fmt.Sprintf("%s says:\n%s", r.LogFile, text)
}

// Ended returns a channel that is closed when the function has ended.
func (r *Running) Ended() <-chan struct{} { return r.ended }

// Stop asks the function to end, and kills it if it does not. For one that has ended by itself, Ended has reported that.
func (r *Running) Stop() error {
	select {
	case <-r.ended:
		return nil
	default:
	}

	_ = r.command.Process.Signal(syscall.SIGTERM)

	select {
	case <-r.ended:
	case <-time.After(10 * time.Second):
		_ = r.command.Process.Kill()
		<-r.ended

		return fmt.Errorf("%s had to be killed", r.Name)
	}

	var status *exec.ExitError
	if errors.As(r.err, &status) && !asAsked(status) {
		return fmt.Errorf("%s: %w; %s", r.Name, r.err, r.tail())
	}

	return nil
}

// asAsked reports whether the function was ended by the signal, which came before it handled signals.
func asAsked(status *exec.ExitError) bool {
	wait, known := status.Sys().(syscall.WaitStatus)

	return known && wait.Signaled() && wait.Signal() == syscall.SIGTERM
}
