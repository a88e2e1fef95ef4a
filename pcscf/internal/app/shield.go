package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/access"
	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/association"
	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/keyfile"
	"github.com/dialtone-ims/dialtone/pcscf/internal/keeping"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// tag is in the numbers of the sets that P-CSCFs of this suite make, so that those of others on the machine are left alone.
const (
	tag        = 0xd1a1
	firstReqID = tag << 16
	lastReqID  = firstReqID | 0xffff
)

// kernel is what the shield needs of the machine's.
type kernel interface {
	association.Kernel
	Whole(s ipsec.Set) bool
	Reclaim(local netip.Addr, keep func(reqID uint32) bool) (states int, err error)
	Guard(local netip.Addr, ports ...uint16) error
	Unguard(local netip.Addr, ports ...uint16) error
	Close() error
}

// shield is the access security of one P-CSCF from its start to its stop.
type shield struct {
	config    *IPsec
	log       *slog.Logger
	modes     map[string]association.Mode
	gm        []sip.EndpointConfig // those with associations
	suites    []ipsec.Suite
	kernel    kernel // nil: no endpoint has associations
	store     *keeping.Store
	bindings  []binding.Kept
	sets      []association.Kept
	protector *association.Table
	drops     *drops        // nil without associations
	keys      *keyfile.File // nil: written nowhere
}

// opener gives the kernel and those of the suites that it has; the error says what is missing.
type opener func(wanted []ipsec.Suite) (kernel, []ipsec.Suite, error)

// newShield finds out what can be protected here. What is required and cannot be is an error; what is optional goes without, and
// that is said.
func newShield(c *Config, log *slog.Logger, open opener) (_ *shield, err error) {
	s := &shield{config: &c.IPsec, log: log, modes: map[string]association.Mode{}}

	defer func() {
		if err != nil {
			s.close()
		}
	}()

	if c.Data != "" {
		if s.store, s.bindings, s.sets, err = keeping.Open(c.Data, log); err != nil {
			return nil, err
		}
	}

	for _, e := range c.SIP.Endpoints {
		if e.Name == mw {
			continue
		}

		mode := c.IPsec.mode(e.Name)
		if mode != association.Off {
			if mode, err = s.consider(e, mode, open); err != nil {
				return nil, err
			}
		}

		s.modes[e.Name] = mode
	}

	return s, s.writeKeys()
}

// writeKeys has the keys of associations written to where the configuration says, if it does.
func (s *shield) writeKeys() (err error) {
	if s.config.WiresharkKeys == "" || s.kernel == nil {
		return nil
	}

	if s.keys, err = keyfile.Create(s.config.WiresharkKeys); err != nil {
		return fmt.Errorf("ipsec.wireshark_keys: %w", err)
	}

	s.kernel = disclosing{s.kernel, s.keys, s.log}
	s.log.Warn(
		"the keys of all security associations are written to a file: whoever has it reads what the handsets say. This is for laboratories",
		"ipsec.wireshark_keys",
		s.config.WiresharkKeys,
	)

	return nil
}

// disclosing is a kernel that tells Wireshark the keys of what is installed.
type disclosing struct {
	kernel
	keys *keyfile.File
	log  *slog.Logger
}

// Install installs a set all the same when its keys cannot be written.
func (d disclosing) Install(set ipsec.Set, lifetime time.Duration) error {
	if err := d.kernel.Install(set, lifetime); err != nil {
		return err
	}

	if err := d.keys.Add(set); err != nil {
		d.log.Error("the keys of a security association are not in the file for Wireshark", "error", err)
	}

	return nil
}

func (s *shield) consider(e sip.EndpointConfig, mode association.Mode, open opener) (association.Mode, error) {
	why := pointless(e)
	if why == nil && s.kernel == nil {
		why = s.open(open)
	}

	switch {
	case why == nil:
		s.gm = append(s.gm, e)
		return mode, nil
	case mode == association.Required:
		return mode, fmt.Errorf("ipsec is required at %s: %w", e.Name, why)
	default:
		s.log.Info("handsets are served without IPsec", "endpoint", e.Name, "reason", why)
		return association.Off, nil
	}
}

func (s *shield) open(open opener) error {
	wanted, err := s.config.suites()
	if err != nil {
		return err
	}

	s.kernel, s.suites, err = open(wanted)
	if err != nil {
		return err
	}

	for _, suite := range wanted {
		if !slices.Contains(s.suites, suite) {
			s.log.Warn("the kernel does not have an algorithm", "suite", suite.String())
		}
	}

	return nil
}

// endpoints are the protected ones, to be bound besides those of the configuration.
func (s *shield) endpoints() []sip.EndpointConfig {
	var all []sip.EndpointConfig
	for _, e := range s.gm {
		all = append(all, s.config.protected(e)...)
	}

	return all
}

// raise protects the endpoints of a stack that is not served yet, and takes up what an earlier process left.
func (s *shield) raise(stack *sip.Stack, table *binding.Table, metrics prometheus.Registerer) (access.Security, error) {
	var security access.Security = access.Open{}

	if s.kernel != nil {
		if err := s.protect(stack, metrics); err != nil {
			return nil, err
		}

		security = s.protector
	}

	s.restore(stack, table, security)

	return security, nil
}

func (s *shield) protect(stack *sip.Stack, metrics prometheus.Registerer) error {
	s.drops = watchDrops(ipsec.Statistics, s.log)
	metrics.MustRegister(s.drops)

	ports := &association.Ports{Clients: map[netip.Addr][]*sip.Endpoint{}, Servers: map[netip.Addr][]*sip.Endpoint{}}

	for _, e := range s.gm {
		address := addressOf(e)

		for _, port := range s.config.ClientPorts {
			ports.Clients[address] = append(ports.Clients[address], stack.Endpoint(protectedName(e.Name, port)))
		}

		for _, port := range s.config.ServerPorts {
			ports.Servers[address] = append(ports.Servers[address], stack.Endpoint(protectedName(e.Name, port)))
		}
	}

	options := association.Options{Kernel: s.kernel, Ports: ports, Log: s.log, Metrics: metrics, FirstReqID: firstReqID, LastReqID: lastReqID}
	if s.store != nil && s.config.Restart == keep {
		options.Keep = s.store.Sets()
	}

	s.protector = association.New(association.Settings{
		Modes: s.modes, Suites: s.suites, AnnounceAll: s.config.Announce == all,
		AwaitAuth: s.config.AwaitAuth, Grace: s.config.Grace, Linger: s.config.Linger, MaxSets: s.config.MaxSets,
	}, options)

	return s.reclaim()
}

func (s *shield) ports() []uint16 { return slices.Concat(s.config.ClientPorts, s.config.ServerPorts) }

// reclaim takes up the sets that are to be kept, removes all else that an earlier process left, and guards the ports: before
// anything is served, the kernel drops what comes to them in clear.
func (s *shield) reclaim() error {
	kept := map[uint32]bool{}

	if s.config.Restart == keep {
		for _, set := range s.protector.Restore(s.sets, s.kernel.Whole) {
			kept[set.ReqID] = true
		}
	}

	states := 0

	for _, e := range s.gm {
		n, err := s.kernel.Reclaim(addressOf(e), func(reqID uint32) bool { return kept[reqID] })
		if err == nil {
			err = s.kernel.Guard(addressOf(e), s.ports()...)
		}

		if err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}

		states += n
	}

	if len(kept) > 0 || states > 0 {
		s.log.Info("security associations of an earlier process", "sets taken up", len(kept), "states removed", states)
	}

	return nil
}

// restore takes up the registrations that an earlier process left, but for those whose associations are gone.
func (s *shield) restore(stack *sip.Stack, table *binding.Table, security access.Security) {
	if s.store == nil {
		return
	}

	restored := 0

	for _, k := range s.bindings {
		b, err := k.Restore(stack.Endpoint)
		if err == nil && b.Protected() && !security.Protected(b.Flow) {
			err = errors.New("its security associations are gone")
		}

		if err == nil {
			err = table.Put(b)
		}

		if err != nil {
			s.log.Info("a registration is not taken up again", "user", k.Private, "reason", err)
			s.store.Bindings().Forget(k.Token)

			continue
		}

		restored++
	}

	table.KeepBy(s.store.Bindings())
	s.log.Info("registrations of an earlier process", "taken up", restored, "of", len(s.bindings), "at", time.Now().UTC().Format(time.RFC3339))
	s.bindings, s.sets = nil, nil
}

// lower is the end: nothing stays in the kernel unless the next process is to take it up.
func (s *shield) lower() error {
	if s.protector != nil {
		if s.config.Restart == clean {
			s.protector.RemoveAll("the P-CSCF stops")
		}

		s.protector.Close()
	}

	var failed error

	if s.kernel != nil && s.config.Restart == clean {
		for _, e := range s.gm {
			failed = errors.Join(failed, s.kernel.Unguard(addressOf(e), s.ports()...))
		}
	}

	return errors.Join(failed, s.close())
}

func (s *shield) close() error {
	var failed error

	if s.kernel != nil {
		failed = s.kernel.Close()
	}

	if s.keys != nil {
		failed = errors.Join(failed, s.keys.Close())
	}

	if s.store != nil {
		failed = errors.Join(failed, s.store.Close())
	}

	return failed
}
