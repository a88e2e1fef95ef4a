package scenario

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/ue/handset"
	"github.com/dialtone-ims/dialtone/ue/namespace"
)

// Scenario is one run of the lab's call.
type Scenario struct {
	Out     io.Writer
	Place   Place
	Network PLMN
	// Handsets is the network of the handsets, if not the lab's; Kernel makes their security associations there.
	Handsets namespace.Network
	Kernel   handset.Kernel
	// Provisioned, when set, is called once the subscribers have been made.
	Provisioned func(context.Context) error
	Policy      *Simulated // nil: no bearers are requested

	centre    *handset.Handset // the emergency centre
	leave     context.CancelFunc
	answering sync.WaitGroup // its calls, until leave
	confirmed chan struct{}  // receives when a call that it took has its ACK
	taken     chan struct{}  // receives when a call that it took is over

	alice *handset.Handset
	bob   *handset.Handset
	call  string // Call-ID of the call: the databases hold earlier ones, too

	dialled time.Time

	charging string // Session-Id of the call's charging
}

const handsetPort = 5060 // unprotected

// Prices of the lab in cents: one a second, and five for the connection; a message is ten.
const (
	pricePerSecond = 1
	connectionFee  = 5
	firstMoney     = 1000
)

// Provision creates the subscribers and their accounts through the public APIs.
func (s *Scenario) Provision(ctx context.Context) error {
	hss, ocs := httpapi.Local(AdminOfHSS), httpapi.Local(adminOfOCS)

	if err := s.Place.Charging.price(ctx); err != nil {
		return err
	}

	for _, who := range []subscriber{alice, bob} {
		body := map[string]any{
			"imsi": s.Network.IMSI(who.number), "msisdn": who.msisdn, "display_name": who.name,
			"authentication": map[string]string{"k": who.k, "opc": who.opc},
		}
		if err := hss.Do(ctx, "POST", "/subscribers", body, nil); err != nil && !conflict(err) {
			return fmt.Errorf("subscriber %s: %w", who.name, err)
		}

		account := map[string]any{
			"name": who.name, "balance": firstMoney,
			"identities": []string{"tel:+" + who.msisdn, "sip:+" + who.msisdn + "@" + s.Network.Domain()},
		}
		if err := ocs.Do(ctx, "POST", "/accounts", account, nil); err != nil && !conflict(err) {
			return fmt.Errorf("account %s: %w", who.name, err)
		}

		balance, err := enough(ctx, who.name)
		if err != nil {
			return fmt.Errorf("account %s: %w", who.name, err)
		}

		fmt.Fprintf(s.Out, "  %-6s IMSI %s  tel:+%s  prepaid account with %d cents\n", who.name, s.Network.IMSI(who.number), who.msisdn, balance)
	}

	if s.Provisioned != nil {
		return s.Provisioned(ctx)
	}

	return nil
}

// enough tops up an account that earlier runs have used, so that it suffices for this one.
func enough(ctx context.Context, account string) (int64, error) {
	ocs, path := httpapi.Local(adminOfOCS), "/accounts/"+account

	var now struct {
		Balance int64 `json:"balance"`
	}
	if err := ocs.Do(ctx, "GET", path, nil, &now); err != nil || now.Balance >= firstMoney/10 {
		return now.Balance, err
	}

	more := map[string]any{"amount": firstMoney - now.Balance, "note": "for the lab's next call"}
	err := ocs.Do(ctx, "POST", path+"/top-up", more, &now)

	return now.Balance, err
}

// conflict reports whether the subscriber exists from an earlier run.
func conflict(err error) bool {
	var problem *httpapi.Error

	return errors.As(err, &problem) && problem.Status == 409
}

func (s *Scenario) handset(who subscriber, address netip.Addr) (*handset.Handset, error) {
	k, err := hex.DecodeString(who.k)
	if err != nil {
		return nil, err
	}

	opc, err := hex.DecodeString(who.opc)
	if err != nil {
		return nil, err
	}

	c := handset.Config{
		IMSI: s.Network.IMSI(who.number), Domain: s.Network.Domain(), K: [16]byte(k), OPc: [16]byte(opc), Transport: "UDP", Expires: 3600,
		Address: netip.AddrPortFrom(address, handsetPort), Proxy: s.Place.Gm(),
		Instance: handset.Instance(s.Network.IMSI(who.number)), Access: s.Place.access(),
		CancelTime: endTime, Reserve: s.reserves(address),
	}

	if s.Place.Protected {
		c.Network = s.Handsets
		c.Security = &handset.Security{Kernel: s.Kernel, Suites: ipsec.Suites, ClientPort: 31000, ServerPort: 31500, Linger: time.Second}
	}

	return handset.New(c)
}

// Register switches the two handsets on.
func (s *Scenario) Register(ctx context.Context) (err error) {
	for _, one := range []struct {
		who     subscriber
		address netip.Addr
		at      **handset.Handset
	}{{alice, s.Place.Alice, &s.alice}, {bob, s.Place.Bob, &s.bob}} {
		if *one.at, err = s.handset(one.who, one.address); err != nil {
			return err
		}

		if err := (*one.at).Register(ctx); err != nil {
			return fmt.Errorf("%s does not register: %w", one.who.name, err)
		}

		fmt.Fprintf(s.Out, "  %-6s registered as %v\n", one.who.name, (*one.at).Identities())
	}

	return nil
}

// endTime is the time for the requests that end a call: CANCEL or BYE.
const endTime = 5 * time.Second

// Call makes alice call bob, talk until the quota was renewed at least once, and hang up. Whatever goes wrong, no call that alice pays for
// is left.
func (s *Scenario) Call(ctx context.Context) (failed error) {
	answered := make(chan error, 1)

	go func() {
		select {
		case incoming := <-s.bob.Incoming():
			answered <- incoming.Answer(ctx)
		case <-ctx.Done():
			answered <- ctx.Err()
		}
	}()

	s.dialled = time.Now()

	call, err := s.alice.Dial(ctx, "tel:+"+bob.msisdn)
	if err != nil {
		return fmt.Errorf("the call: %w", err)
	}

	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
		defer cancel()

		select {
		case <-call.Ended():
			failed = errors.Join(failed, fmt.Errorf("the call was ended by the other side (%s)", call.Why()))
			return
		default:
		}

		if err := call.HangUp(end); err != nil {
			fmt.Fprintln(s.Out, "  alice does not get to hang up:", err)
			failed = errors.Join(failed, fmt.Errorf("hanging up: %w", err))

			return
		}

		fmt.Fprintln(s.Out, "  alice hangs up")
	}()

	if err := <-answered; err != nil {
		return fmt.Errorf("bob: %w", err)
	}

	s.call = call.ID()

	if err := s.bearers(ctx); err != nil {
		return err
	}

	fmt.Fprintln(s.Out, "  answered; alice and bob talk until the quota has been renewed")

	return s.renewed(ctx)
}

// renewed waits until the OCS has received an update of the session.
func (s *Scenario) renewed(ctx context.Context) error {
	ocs := httpapi.Local(adminOfOCS)

	for {
		var sessions []struct {
			CallID string `json:"call_id"`
			Number uint32 `json:"request_number"`
		}
		if err := ocs.Do(ctx, "GET", "/sessions?account=alice", nil, &sessions); err != nil {
			return err
		}

		for _, session := range sessions {
			if session.CallID == s.call && session.Number >= 1 {
				return nil
			}
		}

		select {
		case <-ctx.Done():
			return fmt.Errorf("the quota was never renewed: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Message makes bob send alice a message.
func (s *Scenario) Message(ctx context.Context) error {
	response, err := s.bob.Message(ctx, "tel:+"+alice.msisdn, "hello from the lab")
	if err != nil {
		return err
	}

	if !response.IsSuccess() {
		return &handset.Refused{Response: response}
	}

	select {
	case m := <-s.alice.Messages():
		fmt.Fprintf(s.Out, "  alice reads: %q\n", m.Body)
		return nil
	case <-ctx.Done():
		return errors.New("the message did not reach alice")
	}
}

// Answer makes the handsets answer all calls and messages until ctx ends.
func (s *Scenario) Answer(ctx context.Context) {
	var both sync.WaitGroup

	for name, h := range map[string]*handset.Handset{alice.name: s.alice, bob.name: s.bob} {
		both.Go(func() {
			h.Automatic(ctx, func(line string) { fmt.Fprintf(s.Out, "  %-6s %s\n", name, line) })
		})
	}

	both.Wait()
}

// Close switches the handsets off.
func (s *Scenario) Close() error {
	var failed error

	if s.leave != nil {
		s.leave()
		s.answering.Wait()
	}

	for _, h := range []*handset.Handset{s.alice, s.bob, s.centre} {
		if h != nil {
			failed = errors.Join(failed, h.Close())
		}
	}

	return failed
}
