package main

import (
	"embed"
	"errors"
	"fmt"
	"net"
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

//go:embed testdata/kamailio
var configuration embed.FS

// kamailioPath is Kamailio, which Debian keeps out of the PATH of most users.
func kamailioPath() (string, error) {
	if path, err := exec.LookPath("kamailio"); err == nil {
		return path, nil
	}

	return exec.LookPath("/usr/sbin/kamailio")
}

// startKamailio starts Kamailio as P-, I- and S-CSCF, at the addresses of ours, with our HSS and OCS.
func (b *bench) startKamailio(charged bool) error {
	if err := b.start(nil); err != nil {
		return err
	}

	path, err := kamailioPath()
	if err != nil {
		return err
	}

	folder := filepath.Join(b.data, "kamailio")
	if err := configure(folder); err != nil {
		return err
	}

	var cscfs []*exec.Cmd

	for _, name := range measured {
		arguments := []string{"-f", filepath.Join(folder, name+".cfg"), "-DD", "-E", "-m", "512", "-M", "16"} // MB shared, and of each process
		if charged && name == "scscf" {
			arguments = append(arguments, "-A", "CHARGING")
		}

		log, err := os.Create(filepath.Join(b.data, name+".log"))
		if err != nil {
			return err
		}
		defer log.Close()

		command := exec.Command(path, arguments...)
		command.Dir, command.Stdout, command.Stderr = folder, log, log
		child.Bind(command, syscall.SIGTERM)

		if err := command.Start(); err != nil {
			return err
		}

		b.running, cscfs = append(b.running, command), append(cscfs, command)
	}

	b.cpu = func() float64 { return processor(cscfs) }

	if err := b.awaitKamailio(charged); err != nil {
		return err
	}

	for _, command := range cscfs {
		if len(processes(command)) == 1 || processor([]*exec.Cmd{command}) == 0 {
			return errors.New("/proc does not say what Kamailio's workers use")
		}
	}

	return nil
}

// configure writes the configuration for this run.
func configure(folder string) error {
	templates, err := template.ParseFS(configuration, "testdata/kamailio/*")
	if err != nil {
		return err
	}

	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}

	for _, one := range templates.Templates() {
		file, err := os.Create(filepath.Join(folder, one.Name()))
		if err != nil {
			return err
		}

		if err := errors.Join(one.Execute(file, map[string]string{"Folder": folder, "Domain": domain}), file.Close()); err != nil {
			return err
		}
	}

	return nil
}

// awaitKamailio waits until the three answer and have their Diameter connections.
func (b *bench) awaitKamailio(charged bool) error {
	var err error

	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		err = errors.Join(answers("127.0.0.10:5060"), answers("127.0.0.11:5060"), answers("127.0.0.12:5060"))
		if n := metric("hss", "dialtone_diameter_peer_open"); n < 2 {
			err = errors.Join(err, fmt.Errorf("%.0f of 2 Diameter connections to the HSS", n))
		}

		if charged && metric("ocs", "dialtone_diameter_peer_open") < 1 {
			err = errors.Join(err, errors.New("no Diameter connection to the OCS"))
		}

		if err == nil {
			return nil
		}
	}

	for _, name := range []string{"pcscf", "icscf", "scscf"} {
		text, _ := os.ReadFile(filepath.Join(b.data, name+".log"))
		err = fmt.Errorf("%w\n%s said: %s", err, name, text[max(0, len(text)-1000):])
	}

	return fmt.Errorf("waiting for Kamailio: %w", err)
}

// answers says whether a SIP server is there: a request without hops left is answered 483 (RFC 3261 §16.3).
func answers(address string) error {
	connection, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	defer connection.Close()

	_ = connection.SetDeadline(time.Now().Add(time.Second))
	here := connection.LocalAddr()
	_, err = fmt.Fprintf(
		connection,
		"OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%d\r\nMax-Forwards: 0\r\nFrom: <sip:bench@%s>;tag=1\r\n"+
			"To: <sip:%s>\r\nCall-ID: %d@%s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		address,
		here,
		time.Now().UnixNano(),
		here,
		address,
		time.Now().UnixNano(),
		here,
	)

	if err == nil {
		_, err = connection.Read(make([]byte, 2000))
	}

	return err
}

// processes returns a process and its children (proc(5), children), as of one moment.
func processes(command *exec.Cmd) []int {
	all := []int{command.Process.Pid}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", all[0]))

	for _, field := range strings.Fields(string(children)) {
		if pid, err := strconv.Atoi(field); err == nil {
			all = append(all, pid)
		}
	}

	return all
}

// processor returns the time in seconds that processes and their children have had on the processor. It is read from what the scheduler
// counts in nanoseconds: ticks would lose much of 50 processes (proc(5), schedstat).
func processor(commands []*exec.Cmd) (seconds float64) {
	for _, command := range commands {
		for _, pid := range processes(command) {
			threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
			for _, thread := range threads {
				text, _ := os.ReadFile(thread)
				spent, _, _ := strings.Cut(string(text), " ")
				nanoseconds, _ := strconv.ParseFloat(spent, 64)
				seconds += nanoseconds / 1e9
			}
		}
	}

	return seconds
}
