package ipsec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/association"
	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/keyfile"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// tag marks the request IDs of the sets made by P-CSCFs of this suite, so that those of others on the machine are left alone.
const (
	tag        = 0xd1a1
	firstReqID = tag << 16
	lastReqID  = firstReqID | 0xffff
)

// Kernel is the part of the kernel's IPsec that access security uses.
type Kernel interface {
	association.Kernel
	Whole(s ipsec.Set) bool
	Reclaim(local netip.Addr, keep func(reqID uint32) bool) (states int, err error)
	Guard(local netip.Addr, ports ...uint16) error
	Unguard(local netip.Addr, ports ...uint16) error
	Close() error
}

// Access is the access security of one P-CSCF from its start to its stop.
type Access struct {
	config  *Config
	kept    []association.Kept
	keeper  association.Keeper // nil: no set is saved across restarts
	log     *slog.Logger
	modes   map[string]association.Mode
	gm      []stack.EndpointConfig // endpoints with associations
	suites  []ipsec.Suite
	kernel  Kernel // nil: no endpoint has associations
	table   *association.Table
	drops   *drops        // nil without associations
	keyfile *keyfile.File // nil: keys are written nowhere
}

// Options are what access security needs besides its configuration.
type Options struct {
	Endpoints []stack.EndpointConfig // towards handsets
	Kept      []association.Kept     // saved by an earlier process
	Keeper    association.Keeper     // nil: nothing is saved
	Open      Opener                 // nil: the machine's kernel
	Log       *slog.Logger
}

// Opener opens the kernel's IPsec and returns it with the suites that it supports. The error states what is missing.
type Opener func(wanted []ipsec.Suite) (Kernel, []ipsec.Suite, error)

// New finds out what can be protected here. Missing support is an error where protection is required; where it is optional, the absence is
// logged.
func New(c *Config, o Options) (_ *Access, err error) {
	a := &Access{config: c, log: o.Log, modes: map[string]association.Mode{}}
	if c.Restart == keep {
		a.kept, a.keeper = o.Kept, o.Keeper
	}

	if o.Open == nil {
		o.Open = openKernel
	}

	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()

	for _, e := range o.Endpoints {
		mode := c.mode(e.Name)
		if mode != association.Off {
			if mode, err = a.consider(e, mode, o.Open); err != nil {
				return nil, err
			}
		}

		a.modes[e.Name] = mode
	}

	return a, a.writeKeys()
}

// writeKeys makes the kernel write the keys of associations to the configured file, if there is one.
func (a *Access) writeKeys() (err error) {
	if a.config.WiresharkKeys == "" || a.kernel == nil {
		return nil
	}

	if a.keyfile, err = keyfile.Create(a.config.WiresharkKeys); err != nil {
		return fmt.Errorf("ipsec.wireshark_keys: %w", err)
	}

	a.kernel = disclosing{a.kernel, a.keyfile, a.log}
	a.log.Warn(
		"the keys of all security associations are written to a file: whoever has it reads what the handsets say. This is for laboratories",
		"file", a.config.WiresharkKeys,
	)

	return nil
}

// disclosing is a kernel that writes the keys of what is installed for Wireshark.
type disclosing struct {
	Kernel
	keys *keyfile.File
	log  *slog.Logger
}

// Install installs a set even when its keys cannot be written.
func (d disclosing) Install(set ipsec.Set, lifetime time.Duration) error {
	if err := d.Kernel.Install(set, lifetime); err != nil {
		return err
	}

	if err := d.keys.Add(set); err != nil {
		d.log.Error("the keys of a security association are not in the file for Wireshark", "cause", err)
	}

	return nil
}

func (a *Access) consider(e stack.EndpointConfig, mode association.Mode, open Opener) (association.Mode, error) {
	why := pointless(e)
	if why == nil && a.kernel == nil {
		why = a.open(open)
	}

	switch {
	case why == nil:
		a.gm = append(a.gm, e)
		return mode, nil
	case mode == association.Required:
		return mode, fmt.Errorf("ipsec is required at %s: %w", e.Name, why)
	default:
		a.log.Info("handsets are served without IPsec", "endpoint", e.Name, "cause", why)
		return association.Off, nil
	}
}

func (a *Access) open(open Opener) error {
	wanted, err := a.config.suites()
	if err != nil {
		return err
	}

	a.kernel, a.suites, err = open(wanted)
	if err != nil {
		return err
	}

	for _, suite := range wanted {
		if !slices.Contains(a.suites, suite) {
			a.log.Warn("the kernel does not have an algorithm", "suite", suite.String())
		}
	}

	return nil
}

// Endpoints returns the protected endpoints, to be bound besides the configured ones.
func (a *Access) Endpoints() []stack.EndpointConfig {
	var all []stack.EndpointConfig
	for _, e := range a.gm {
		all = append(all, a.config.Protected(e)...)
	}

	return all
}

// Protect protects the endpoints of a stack that is not served yet, and restores the associations that an earlier process left. The table
// is nil if no associations are available.
func (a *Access) Protect(sipStack *stack.Stack, metrics prometheus.Registerer) (*association.Table, error) {
	if a.kernel == nil {
		return nil, nil
	}

	a.drops = watchDrops(ipsec.Statistics, a.log)
	metrics.MustRegister(a.drops)

	ports := &association.Ports{Clients: map[netip.Addr][]*stack.Endpoint{}, Servers: map[netip.Addr][]*stack.Endpoint{}}

	for _, e := range a.gm {
		address := addressOf(e)

		for _, port := range a.config.ClientPorts {
			ports.Clients[address] = append(ports.Clients[address], sipStack.Endpoint(protectedName(e.Name, port)))
		}

		for _, port := range a.config.ServerPorts {
			ports.Servers[address] = append(ports.Servers[address], sipStack.Endpoint(protectedName(e.Name, port)))
		}
	}

	options := association.Options{
		Kernel: a.kernel, Ports: ports, Keep: a.keeper, Log: a.log, Metrics: metrics, FirstReqID: firstReqID, LastReqID: lastReqID,
	}

	a.table = association.New(association.Settings{
		Modes: a.modes, Suites: a.suites, AnnounceAll: a.config.Announce == all,
		AwaitAuth: a.config.AwaitAuth, Grace: a.config.Grace, Linger: a.config.Linger, MaxSets: a.config.MaxSets,
	}, options)

	return a.table, a.reclaim()
}

func (a *Access) ports() []uint16 { return slices.Concat(a.config.ClientPorts, a.config.ServerPorts) }

// reclaim takes over the sets to be restored, removes everything else that an earlier process left, and guards the ports: before anything
// is served, the kernel drops what comes to them in clear.
func (a *Access) reclaim() error {
	kept := map[uint32]bool{}

	if a.config.Restart == keep {
		for _, set := range a.table.Restore(a.kept, a.kernel.Whole) {
			kept[set.ReqID] = true
		}
	}

	states := 0

	for _, e := range a.gm {
		n, err := a.kernel.Reclaim(addressOf(e), func(reqID uint32) bool { return kept[reqID] })
		if err == nil {
			err = a.kernel.Guard(addressOf(e), a.ports()...)
		}

		if err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}

		states += n
	}

	if len(kept) > 0 || states > 0 {
		a.log.Info("security associations restored", "count", len(kept), "states_removed", states)
	}

	return nil
}

// Run logs, until ctx ends, what the kernel drops.
func (a *Access) Run(ctx context.Context) {
	if a.drops != nil {
		a.drops.Run(ctx)
	}
}

// Close closes the access. Nothing stays in the kernel unless the next process is to restore it.
func (a *Access) Close() error {
	if a.table != nil {
		if a.config.Restart == clean {
			a.table.RemoveAll("the P-CSCF stops")
		}

		a.table.Close()
	}

	var failed error

	if a.kernel != nil && a.config.Restart == clean {
		for _, e := range a.gm {
			failed = errors.Join(failed, a.kernel.Unguard(addressOf(e), a.ports()...))
		}
	}

	return errors.Join(failed, a.close())
}

func (a *Access) close() error {
	var failed error

	if a.kernel != nil {
		failed = a.kernel.Close()
	}

	if a.keyfile != nil {
		failed = errors.Join(failed, a.keyfile.Close())
	}

	return failed
}
