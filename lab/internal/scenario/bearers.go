package scenario

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/lab/internal/ladder"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/policy"
)

// addressOfPCRF is where the simulated PCRF listens for Rx.
var addressOfPCRF = netip.MustParseAddrPort("127.0.0.15:3868")

// Rx returns the place with a PCRF that the P-CSCF asks for the bearers of calls.
func (p Place) Rx() Place {
	p.PCRF = addressOfPCRF
	return p
}

// realm returns the realm of the EPC (TS 23.003 §19.2), as in Open5GS's labs; the IMS has another one.
func (p PLMN) realm() string { return "epc." + strings.TrimPrefix(p.Domain(), "ims.") }

// pcrfEnvironment returns the environment that points the P-CSCF to the PCRF.
func (p Place) pcrfEnvironment(network PLMN) []string {
	if !p.PCRF.IsValid() {
		return nil
	}

	realm := network.realm()

	return []string{
		"DIALTONE_PCSCF_BEARER_POLICY=required",
		fmt.Sprintf("DIALTONE_PCSCF_DIAMETER_PEERS=[{host: pcrf.%s, realm: %s, address: %q}]", realm, realm, p.PCRF),
	}
}

// Simulated is a PCRF in the lab's own process.
type Simulated struct {
	server *policy.PCRF
	log    *os.File
	stop   context.CancelFunc
	ended  chan error
}

// SimulatePCRF starts the PCRF of a place, with its log in data.
func (p Place) SimulatePCRF(network PLMN, data string) (*Simulated, error) {
	if err := os.MkdirAll(filepath.Join(data, "log"), 0o755); err != nil {
		return nil, err
	}

	log, err := os.Create(filepath.Join(data, "log", "pcrf.log"))
	if err != nil {
		return nil, err
	}

	realm := network.realm()

	c := diameter.DefaultConfig("pcrf."+realm, realm)
	c.Listen = []diameter.Listener{{Address: p.PCRF.String()}}
	c.AllowUnknownPeers = true

	server, err := policy.NewPCRF(c, diameter.Options{Log: slog.New(slog.NewJSONHandler(log, nil))})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the simulated PCRF: %w", err), log.Close())
	}

	ctx, stop := context.WithCancel(context.Background())
	s := &Simulated{server: server, log: log, stop: stop, ended: make(chan error, 1)}

	go func() { s.ended <- server.Run(ctx) }()

	return s, nil
}

// Stop stops the PCRF.
func (s *Simulated) Stop() error {
	s.stop()
	return errors.Join(<-s.ended, s.log.Close())
}

// AwaitBearers waits until the P-CSCF is connected to the PCRF: a call that requires its bearers would fail before.
func (s *Scenario) AwaitBearers(ctx context.Context) error {
	if s.PCRF == nil {
		return nil
	}

	if err := await(ctx, func() (bool, error) {
		var peers []diameter.PeerStatus
		err := httpapi.Local(adminOfPCSCF).Do(ctx, "GET", "/peers", nil, &peers)

		return slices.ContainsFunc(peers, func(p diameter.PeerStatus) bool { return p.State == "open" }), err
	}); err != nil {
		return fmt.Errorf("the P-CSCF is not connected to the PCRF: %w", err)
	}

	return nil
}

// asked returns the sessions at the PCRF that the P-CSCF has requested.
func (s *Scenario) asked() (sessions []string) {
	if s.PCRF == nil {
		return nil
	}

	for _, e := range s.PCRF.server.Events() {
		if e.Kind == "AAR" && !slices.Contains(sessions, e.Session) {
			sessions = append(sessions, e.Session)
		}
	}

	return sessions
}

// bearers prints what is granted during the call, and checks that each handset has its own.
func (s *Scenario) bearers() error {
	if s.PCRF == nil {
		return nil
	}

	for _, one := range []struct {
		name    string
		address netip.Addr
	}{{alice.name, s.Place.Alice}, {bob.name, s.Place.Bob}} {
		flows := s.PCRF.voice(one.address)
		if len(flows) == 0 {
			return fmt.Errorf("no bearer for the voice of %s is granted", one.name)
		}

		for _, flow := range flows {
			fmt.Fprintf(s.Out, "  the PCRF grants %-6s %s\n", one.name, flow)
		}
	}

	return nil
}

// voice returns the RTP flows granted to a UE.
func (s *Simulated) voice(address netip.Addr) (flows []string) {
	for _, q := range s.server.Sessions() {
		if ue, err := q.UE(); err != nil || ue.Addr() != address {
			continue
		}

		for i := range q.MediaComponents {
			if c := &q.MediaComponents[i]; c.MediaType != nil && *c.MediaType == rx.Audio && len(c.SubComponents) > 0 {
				flows = append(flows, c.SubComponents[0].FlowDescriptions...)
			}
		}
	}

	return flows
}

// givenBack checks that each handset had a session for the call, and that all have ended.
func (s *Scenario) givenBack(call []ladder.Step) error {
	if s.PCRF == nil {
		return nil
	}

	count := map[string]int{}
	for _, step := range call {
		count[step.Label]++
	}

	for _, label := range []string{"AAR", "AAA", "STR", "STA"} {
		if count[label] != 2 {
			return fmt.Errorf("the call has %d %s, and not one for each handset", count[label], label)
		}
	}

	return inOrder("call", call, s.columns(), "INVITE", "AAR", "AAA", "200", "ACK", "BYE", "STR", "STA")
}
