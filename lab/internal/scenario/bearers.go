package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/lab/internal/ladder"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
)

// Bearers is how the P-CSCF asks for the bearers of calls.
type Bearers string

// The values of Bearers.
const (
	NoBearers Bearers = ""
	Rx        Bearers = "rx" // a PCRF
	N5        Bearers = "n5" // a PCF
)

// Set takes rx or n5.
func (b *Bearers) Set(text string) error {
	if text != string(Rx) && text != string(N5) {
		return errors.New("bearers are asked for over rx or n5")
	}

	*b = Bearers(text)

	return nil
}

func (b *Bearers) String() string { return string(*b) }

// Type returns the type for the help.
func (b *Bearers) Type() string { return "rx|n5" }

// Where the simulated PCRF and PCF listen, and where the P-CSCF takes the PCF's notifications.
var (
	addressOfPCRF = netip.MustParseAddrPort("127.0.0.15:3868")
	addressOfPCF  = netip.MustParseAddrPort("127.0.0.15:7777")
	notifications = netip.MustParseAddrPort("127.0.0.10:7777")
)

// realm returns the realm of the EPC (TS 23.003 §19.2), as in Open5GS's labs; the IMS has another one.
func (p PLMN) realm() string { return "epc." + strings.TrimPrefix(p.Domain(), "ims.") }

// bearerEnvironment returns the environment that points the P-CSCF to the PCRF or PCF.
func (p Place) bearerEnvironment(network PLMN) []string {
	realm := network.realm()
	required := []string{"DIALTONE_PCSCF_BEARER_POLICY=required"}

	switch p.Bearers {
	case NoBearers:
		return nil
	case N5:
		return append(required, "DIALTONE_PCSCF_BEARER_PCF=http://"+addressOfPCF.String(), "DIALTONE_PCSCF_BEARER_NOTIFY="+notifications.String())
	default:
		return append(required,
			fmt.Sprintf("DIALTONE_PCSCF_DIAMETER_PEERS=[{host: pcrf.%s, realm: %s, address: %q}]", realm, realm, addressOfPCRF))
	}
}

// access returns what the handsets state as their access network.
func (p Place) access() string {
	if p.Bearers == N5 {
		return "3GPP-NR-FDD;utran-cell-id-3gpp=00101000001000000001"
	}

	return "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001"
}

// AwaitBearers waits until the P-CSCF is connected to the PCRF: a call that requires its bearers would fail before. A PCF is connected to
// when it is asked.
func (s *Scenario) AwaitBearers(ctx context.Context) error {
	if s.Place.Bearers != Rx {
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

// reserves returns how a handset gets its bearer, which it insists on as real ones do; nil: it does not.
func (s *Scenario) reserves(address netip.Addr) func(context.Context) error {
	if s.Policy == nil {
		return nil
	}

	return func(ctx context.Context) error {
		return await(ctx, func() (bool, error) { return len(s.Policy.voice(address)) > 0, nil })
	}
}

// asked returns the sessions at the PCRF or PCF that the P-CSCF has requested since then. A PCF names one as an earlier one that has ended.
func (s *Scenario) asked(since time.Time) (sessions []string) {
	if s.Policy == nil {
		return nil
	}

	for _, e := range s.Policy.known() {
		if (e.Kind == "AAR" || e.Kind == "POST") && e.At.After(since) && !slices.Contains(sessions, e.Session) {
			sessions = append(sessions, e.Session)
		}
	}

	return sessions
}

// bearers prints what is granted during the call, and checks that each handset has its own. Then the PCRF or PCF reports that alice is on
// another access network.
func (s *Scenario) bearers(ctx context.Context) error {
	if s.Policy == nil {
		return nil
	}

	for _, one := range []struct {
		name    string
		address netip.Addr
	}{{alice.name, s.Place.Alice}, {bob.name, s.Place.Bob}} {
		flows := s.Policy.voice(one.address)
		if len(flows) == 0 {
			return fmt.Errorf("no bearer for the voice of %s is granted", one.name)
		}

		for _, flow := range flows {
			fmt.Fprintf(s.Out, "  the %s grants %-6s %s\n", s.Policy.name, one.name, flow)
		}
	}

	access, err := s.Policy.moved(ctx, s.Place.Alice)
	if err != nil {
		return fmt.Errorf("the %s reports another access network: %w", s.Policy.name, err)
	}

	fmt.Fprintf(s.Out, "  the %s reports that alice is on another access network: %s\n", s.Policy.name, access)

	return nil
}

// givenBack checks that each handset had a session for the call, and that all have ended.
func (s *Scenario) givenBack(call []ladder.Step) error {
	if s.Policy == nil {
		return nil
	}

	const each = 2 // of them

	order := []string{"INVITE", "183", "AAR", "AAA", "PRACK", "200", "RAR", "RAA", "BYE", "STR", "STA"}
	begin, end := "AAR", "STR"

	if s.Place.Bearers == N5 {
		order = []string{
			"INVITE", "183", "POST /npcf", "201", "PRACK", "200", "POST /n5", "204", "BYE", "POST /npcf", "204",
		}
		begin, end = "201", npcf.Delete
	}

	sessions, count := map[string]bool{}, map[string]int{}
	asked := s.asked(s.dialled)

	for _, step := range call {
		if slices.Contains(asked, step.Session) {
			sessions[step.Session] = true
			label, _, _ := strings.Cut(step.Label, " ")
			count[label]++

			if strings.HasSuffix(step.Detail, npcf.Delete) {
				count[npcf.Delete]++
			}
		}
	}

	if len(sessions) != each || count[begin] < each || count[end] != each {
		return fmt.Errorf("the call has %d sessions at the %s, %d %s and %d %s, and not one for each handset",
			len(sessions), s.Policy.name, count[begin], begin, count[end], end)
	}

	return inOrder("call", call, s.columns(), order...)
}
