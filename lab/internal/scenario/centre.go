package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/lab/internal/ladder"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// Addresses of the lab's emergency centre, and of the P-CSCF towards it.
var (
	centreAt = netip.MustParseAddrPort("127.0.0.16:5060")
	mw       = netip.MustParseAddrPort("127.0.0.10:5070")
)

// otherCentres is the setting that sends emergency calls to centres other than the lab's.
const otherCentres = "DIALTONE_PCSCF_EMERGENCY_PSAPS"

// centreEnvironment returns the environment that makes the P-CSCF send emergency calls to the lab's centre, unless the environment names
// others.
func centreEnvironment() []string {
	if os.Getenv(otherCentres) != "" {
		return nil
	}

	return []string{fmt.Sprintf(`%s={"sos": "sip:psap@%s"}`, otherCentres, centreAt)}
}

// OpenCentre opens the lab's emergency centre, which answers until ctx ends. Close ends it.
func (s *Scenario) OpenCentre(ctx context.Context) (err error) {
	s.centre, err = handset.New(handset.Config{IMSI: "psap", Domain: s.Network.Domain(), Transport: "UDP", Address: centreAt, Proxy: mw})
	if err != nil {
		return fmt.Errorf("the emergency centre: %w", err)
	}

	ctx, s.leave = context.WithCancel(ctx)
	s.confirmed, s.taken = make(chan struct{}, 1), make(chan struct{}, 1)

	s.answering.Go(func() {
		for {
			select {
			case call := <-s.centre.Incoming():
				s.tell(call.Invite())
				s.answering.Go(func() {
					select {
					case <-call.Confirmed():
						signal(s.confirmed)
					case <-ctx.Done():
					}
				})
				s.answering.Go(func() {
					call.Take(ctx, func(line string) { fmt.Fprintf(s.Out, "  %-6s %s\n", "psap", line) })

					signal(s.taken)
				})
			case <-ctx.Done():
				return
			}
		}
	})

	return nil
}

// signal tells whoever waits, and nobody else.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// tell reports the call that the centre answers.
func (s *Scenario) tell(invite *sip.Request) {
	service, _ := emergency.Service(invite.Recipient.String())
	from := sip.Value(invite, "P-Asserted-Identity")

	if from == "" {
		from = "nobody who is known"
	}

	fmt.Fprintf(s.Out, "  %-6s answers an emergency call (%s) from %s, at %s: this is the lab's own centre, and no real one\n",
		"psap", service, from, sip.Value(invite, "P-Access-Network-Info"))
}

// Emergency makes alice call 112, and hang up, and prints the messages of the call. It does not if the call would leave the lab, and
// accepts 380 where that is configured.
func (s *Scenario) Emergency(ctx context.Context, admins []string) error {
	if centres := os.Getenv(otherCentres); centres != "" {
		fmt.Fprintf(s.Out, "  she does not: %s names centres that are not the lab's\n", otherCentres)
		return nil
	}

	began := time.Now()

	call, err := s.alice.Dial(ctx, "tel:112;phone-context="+s.Network.Domain())

	var refused *handset.Refused
	if errors.As(err, &refused) && refused.Response.StatusCode == alternativeService {
		fmt.Fprintf(s.Out, "  she is told to call otherwise: %v\n", err)
		return nil
	}

	if err != nil {
		return fmt.Errorf("the emergency call: %w", err)
	}

	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()

	select { // whatever comes of it, she hangs up
	case <-s.confirmed:
	case <-end.Done():
	}

	if err := call.HangUp(end); err != nil {
		return fmt.Errorf("hanging up the emergency call: %w", err)
	}

	select {
	case <-s.taken:
		return s.emergencyLadder(ctx, admins, call.ID(), began)
	case <-end.Done():
		return fmt.Errorf("the emergency centre is not told that the call is over: %w", end.Err())
	}
}

// emergencyLadder prints the messages of an emergency call, which began then, and checks that every step is there.
func (s *Scenario) emergencyLadder(ctx context.Context, admins []string, call string, began time.Time) error {
	columns := []string{"UE alice", "P-CSCF", ladder.PSAP}
	wanted := [][]string{{"INVITE", "INVITE", "180", "200", "200", "ACK", "ACK", "BYE", "BYE", "200", "200"}}

	switch s.Place.Bearers {
	case NoBearers:
	case N5:
		columns = slices.Insert(columns, 1, ladder.PCF)
		wanted = append(wanted, []string{"INVITE", "POST /npcf", "201", "BYE", "POST /npcf", "204"})
	default:
		columns = slices.Insert(columns, 1, ladder.PCRF)
		wanted = append(wanted, []string{"INVITE", "AAR", "AAA", "BYE", "STR", "STA"})
	}

	wait, cancel := context.WithTimeout(ctx, traceTime)
	defer cancel()

	var (
		steps   []ladder.Step
		missing error
	)

	err := await(wait, func() (bool, error) {
		all, err := ladder.Collect(wait, admins, s.Place.nodes())
		if err != nil {
			return false, err
		}

		bearers := s.asked(began)
		steps = slices.DeleteFunc(all, func(step ladder.Step) bool {
			return step.Time.Before(began) || step.CallID != call && !slices.Contains(bearers, step.Session)
		})
		s.mark(steps)

		missing = nil
		for _, order := range wanted {
			missing = errors.Join(missing, inOrder("emergency call", steps, columns, order...))
		}

		return missing == nil, nil
	})
	if missing == nil && err != nil {
		return err
	}

	fmt.Fprint(s.Out, "\nThe emergency call of alice: past the rest of the core\n\n")
	ladder.Print(s.Out, steps, columns)

	return missing
}

// alternativeService is the status of a call that is to be made in another way (TS 24.229 §5.2.10).
const alternativeService = 380
