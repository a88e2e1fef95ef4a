package main

import (
	"bytes"
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/child"
)

//go:embed testdata/*.xml
var scenarios embed.FS

// sipp is SIPp, with its own AKA, one socket for each handset.
type sipp struct {
	users []user
	dir   string
}

func newSIPp(users []user, dir string) (*sipp, error) {
	s := &sipp{users: users, dir: dir}

	if _, err := exec.LookPath("sipp"); err != nil {
		return nil, fmt.Errorf("SIPp is one of the loads: %w (Debian: sip-tester)", err)
	}

	if err := s.write(); err != nil {
		return nil, err
	}

	return s, provision(s.users)
}

// write writes the scenarios: a registration is tried four times.
func (s *sipp) write() error {
	templates, err := template.ParseFS(scenarios, "testdata/*.xml")
	if err != nil {
		return err
	}

	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return err
	}

	attempts := []struct{ Attempt, Next int }{{1, 2}, {2, 3}, {3, 4}, {4, 0}}

	for _, scenario := range templates.Templates() {
		var text bytes.Buffer
		if err := errors.Join(
			scenario.Execute(&text, attempts),
			os.WriteFile(filepath.Join(s.dir, scenario.Name()), text.Bytes(), 0o600),
		); err != nil {
			return err
		}
	}

	return nil
}

func (s *sipp) name() string { return "SIPp" }

func (s *sipp) close() {}

func (s *sipp) register(rate, n int) outcome {
	return s.wait(s.start("register", rate, n, s.users[:n], func(_ int, u user) string {
		return fmt.Sprintf("%s;%s;[authentication username=%s@%s aka_K=%s aka_OP=%s aka_AMF=%s]", u.address, u.imsi, u.imsi, domain, k, op, amf)
	}))
}

func (s *sipp) call(rate, n int) outcome {
	half := len(s.users) / 2

	answering := s.start("answer", rate, n, s.users[half:], func(_ int, u user) string { return u.address.String() })
	calling := s.start("call", rate, n, s.users[:half], func(i int, u user) string {
		return fmt.Sprintf("%s;%s;%s", u.address, u.imsi, s.users[half+i].uri())
	})

	seen := s.wait(calling)

	if answering.err == nil && seen.failed > 0 {
		_ = answering.Process.Signal(syscall.SIGTERM) // it waits for calls that do not come
	}

	if other := s.wait(answering); seen.failed == 0 {
		seen = other
	}

	return seen
}

// process is one SIPp and its folder.
type process struct {
	*exec.Cmd
	dir, scenario string
	n             int
	limit         *time.Timer // ends it
	output        bytes.Buffer
	err           error
}

// start has SIPp play a scenario n times at a rate per second, each time with the next line of its injection file.
func (s *sipp) start(scenario string, rate, n int, users []user, line func(int, user) string) *process {
	p := &process{scenario: scenario, n: n}
	if p.dir, p.err = os.MkdirTemp(s.dir, scenario); p.err != nil {
		return p
	}

	var lines strings.Builder
	lines.WriteString("SEQUENTIAL\n")

	for i, u := range users {
		lines.WriteString(line(i, u) + "\n")
	}

	injection := filepath.Join(p.dir, "users.csv")
	if p.err = os.WriteFile(injection, []byte(lines.String()), 0o600); p.err != nil {
		return p
	}

	p.Cmd = exec.Command("sipp", "127.0.0.10:5060", "-sf", filepath.Join(s.dir, scenario+".xml"),
		"-inf", injection, "-t", "ui", "-ip_field", "0", "-p", "5060", "-max_socket", strconv.Itoa(len(s.users)+100),
		"-r", strconv.Itoa(rate), "-m", strconv.Itoa(n), "-l", strconv.Itoa(n), "-nostdin",
		"-trace_stat", "-stf", filepath.Join(p.dir, "statistics.csv"), "-fd", "1",
		"-trace_err", "-error_file", filepath.Join(p.dir, "errors"))
	p.Stdout, p.Stderr = &p.output, &p.output
	child.Bind(p.Cmd, syscall.SIGTERM)

	if p.err = p.Start(); p.err == nil {
		// SIPp's own -timeout waits for the calls that do not end.
		p.limit = time.AfterFunc(time.Duration(n/rate)*time.Second+30*time.Second, func() { _ = p.Process.Signal(syscall.SIGTERM) })
	}

	return p
}

func (s *sipp) wait(p *process) outcome {
	if p.err != nil {
		return outcome{p.n, p.err.Error()}
	}

	ended := p.Wait()
	p.limit.Stop()

	done, err := p.counter("SuccessfulCall(C)")
	if err != nil {
		return outcome{p.n, fmt.Sprintf("SIPp (%s): %v, %v: %s", p.scenario, ended, err, p.output.Bytes()[max(0, p.output.Len()-500):])}
	}

	seen := outcome{failed: p.n - done}

	if seen.failed > 0 {
		text, _ := os.ReadFile(filepath.Join(p.dir, "errors"))
		seen.remark = fmt.Sprintf("SIPp's errors (%s) begin with: %s", p.scenario, text[:min(len(text), 600)])
	}

	return seen
}

// counter returns a figure of the last line of SIPp's statistics.
func (p *process) counter(name string) (int, error) {
	text, err := os.ReadFile(filepath.Join(p.dir, "statistics.csv"))
	if err != nil {
		return 0, err
	}

	reader := csv.NewReader(bytes.NewReader(text))
	reader.Comma, reader.FieldsPerRecord, reader.LazyQuotes = ';', -1, true

	lines, err := reader.ReadAll()
	if err != nil || len(lines) < 2 {
		return 0, fmt.Errorf("no statistics: %w", err)
	}

	for i, field := range lines[0] {
		if last := lines[len(lines)-1]; field == name && i < len(last) {
			return strconv.Atoi(last[i])
		}
	}

	return 0, fmt.Errorf("no %s in the statistics", name)
}
