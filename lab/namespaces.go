package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/dialtone-ims/dialtone/lab/internal/link"
	"github.com/dialtone-ims/dialtone/lab/internal/scenario"
	"github.com/dialtone-ims/dialtone/pkg/child"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
)

// within is the flag that tells the lab at the core's end of a link which link that is.
const within = "link"

// inNamespaces runs the lab again at the core's end of a link of its own, and removes the link when that has ended.
func inNamespaces(ctx context.Context, executable string, out io.Writer) (err error) {
	if support := ipsec.Probe(ipsec.Options{Role: ipsec.PCSCF}); support.Missing != nil {
		return fmt.Errorf("--ipsec cannot be shown here: %w.\nWithout it the lab runs on any kernel. "+
			"Debian can boot one that has ESP, without privileges: test/install user-mode-linux kmod iproute2; test/kernel/run bin/lab --ipsec "+
			"--once", support.Missing)
	}

	on := func(addresses ...netip.Addr) (all []netip.Prefix) {
		for _, a := range addresses {
			all = append(all, netip.PrefixFrom(a, 24))
		}

		return all
	}

	wire := link.Numbered(os.Getpid())
	if err := wire.Make(on(scenario.Link.PCSCF), on(scenario.Link.Alice, scenario.Link.Bob)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, wire.Close()) }()

	lab := exec.Command(executable, append(os.Args[1:], "--"+within, strconv.Itoa(os.Getpid()))...)
	lab.Stdout, lab.Stderr = out, os.Stderr
	child.Bind(lab, syscall.SIGTERM)

	if err := wire.Start(lab); err != nil {
		return err
	}

	stop := context.AfterFunc(ctx, func() { _ = lab.Process.Signal(syscall.SIGTERM) })
	defer stop()

	var status *exec.ExitError
	if err := lab.Wait(); errors.As(err, &status) {
		return errors.New("it has not been shown") // the reason is printed already
	} else if err != nil {
		return err
	}

	return nil
}
