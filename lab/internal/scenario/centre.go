package scenario

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// The emergency centre of the lab, and where the P-CSCF is to it.
var (
	centreAt = netip.MustParseAddrPort("127.0.0.16:5060")
	mw       = netip.MustParseAddrPort("127.0.0.10:5070")
)

// centreEnvironment has the P-CSCF send emergency calls there, and nowhere else.
func centreEnvironment() string {
	return fmt.Sprintf(`DIALTONE_PCSCF_EMERGENCY_PSAPS={"sos": "sip:psap@%s"}`, centreAt)
}

// OpenCentre opens the lab's emergency centre, which answers until ctx ends. Close ends it.
func (s *Scenario) OpenCentre(ctx context.Context) (err error) {
	s.centre, err = handset.New(handset.Config{IMSI: "psap", Domain: s.Network.Domain(), Transport: "UDP", Address: centreAt, Proxy: mw})
	if err != nil {
		return fmt.Errorf("the emergency centre: %w", err)
	}

	ctx, s.leave = context.WithCancel(ctx)

	s.answering.Go(func() {
		for {
			select {
			case call := <-s.centre.Incoming():
				s.tell(call.Invite())
				s.answering.Go(func() { call.Take(ctx, func(line string) { fmt.Fprintf(s.Out, "  %-6s %s\n", "psap", line) }) })
			case <-ctx.Done():
				return
			}
		}
	})

	return nil
}

// tell says what call the centre answers.
func (s *Scenario) tell(invite *sip.Request) {
	service, _ := emergency.Service(invite.Recipient.String())
	from := sip.Value(invite, "P-Asserted-Identity")

	if from == "" {
		from = "nobody who is known"
	}

	fmt.Fprintf(s.Out, "  %-6s answers an emergency call (%s) from %s, at %s: this is the lab's own centre, and no real one\n",
		"psap", service, from, sip.Value(invite, "P-Access-Network-Info"))
}

// Emergency has alice call 112, and hang up.
func (s *Scenario) Emergency(ctx context.Context) error {
	call, err := s.alice.Dial(ctx, "tel:112;phone-context="+s.Network.Domain())
	if err != nil {
		return fmt.Errorf("the emergency call: %w", err)
	}

	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()

	if err := call.HangUp(end); err != nil {
		return fmt.Errorf("hanging up the emergency call: %w", err)
	}

	return nil
}
