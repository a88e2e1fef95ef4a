package handset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Call is one call of a handset, on either side.
type Call struct {
	handset *Handset
	id      string
	remote  string
	cseq    uint32        // of the INVITE
	version atomic.Uint64 // of the session description

	client *stack.ClientTransaction // of a call that the handset makes
	server *stack.ServerTransaction // of an incoming call

	description []byte
	tag         string // this side's, of an incoming call

	preconditions preconditions

	mu        sync.Mutex
	dialog    *sip.Dialog
	ended     chan struct{}
	confirmed chan struct{}
	why       string
	forced    bool // the network has ended it
	over      bool
}

func (h *Handset) newCall(id, remote string) *Call {
	c := &Call{
		handset: h, id: id, remote: remote, ended: make(chan struct{}), confirmed: make(chan struct{}), preconditions: newPreconditions(),
	}

	h.mu.Lock()
	defer h.mu.Unlock()

	h.calls[id] = c

	return c
}

func (h *Handset) call(r *sip.Request) *Call {
	h.mu.Lock()
	defer h.mu.Unlock()

	return h.calls[r.CallID().Value()]
}

// ID returns the Call-ID.
func (c *Call) ID() string { return c.id }

// Remote returns the other party's address as the call states it.
func (c *Call) Remote() string { return c.remote }

// Invite returns the INVITE of an incoming call.
func (c *Call) Invite() *sip.Request { return c.server.Request() }

// Confirmed returns a channel that is closed when the ACK of an incoming call has come.
func (c *Call) Confirmed() <-chan struct{} { return c.confirmed }

// Ended returns a channel that is closed when the call is over; Why then returns the reason.
func (c *Call) Ended() <-chan struct{} { return c.ended }

// Why returns the Reason of the other side's BYE, or "".
func (c *Call) Why() string {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.why
}

// Forced reports whether the network has ended the call for a reason other than a party's hanging up.
func (c *Call) Forced() bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.forced
}

// hangsUp reports whether a reason means that somebody hangs up: a success of SIP (RFC 3326), normal clearing of Q.850, or the user's
// release (RELEASE_CAUSE 1, TS 24.229 §7.2A.18).
func hangsUp(r sip.Reason) bool {
	switch {
	case strings.EqualFold(r.Protocol, sip.ProtocolSIP):
		return r.Cause/100 == 2
	case strings.EqualFold(r.Protocol, "Q.850"):
		return r.Cause == 16
	default:
		return r.Is("RELEASE_CAUSE", 1)
	}
}

func (c *Call) finish(why string) {
	c.mu.Lock()
	first := !c.over
	c.over = true

	if first {
		c.why = why
	}
	c.mu.Unlock()

	if !first {
		return
	}

	c.handset.mu.Lock()
	delete(c.handset.calls, c.id)
	c.handset.mu.Unlock()

	close(c.ended)
}

// Dial calls a party and waits until it answers. A refusal is a *Refused; if ctx ends first, the call is cancelled.
func (h *Handset) Dial(ctx context.Context, target string) (*Call, error) {
	session, identity, err := h.caller()
	if err != nil {
		return nil, err
	}

	r, err := h.request("INVITE", target, identity, target)
	if err != nil {
		return nil, err
	}

	session.route(r)
	sip.Add(r, "Allow", allowed)
	sip.Add(r, "Supported", h.supported())
	sip.Add(r, "Accept-Contact", `*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"`)

	c := h.newCall(r.CallID().Value(), target)
	c.cseq = r.CSeq().SeqNo
	c.preconditions.insists = h.config.Reserve != nil

	sip.Add(r, "Content-Type", "application/sdp")
	r.SetBody(c.preconditions.qos(offer(h.Address().Addr(), c.version.Add(1))))
	h.alter(r)

	if c.client, err = h.stack.Send(ctx, r, h.towards()); err != nil {
		c.finish("")
		return nil, err
	}

	response, err := c.await(ctx, r)

	switch {
	case err != nil:
		c.finish("")
		return nil, err
	case !response.IsSuccess():
		c.finish("")
		return nil, &Refused{response}
	}

	if err := c.confirmedBy(r, response); err != nil {
		c.finish("")
		return nil, err
	}

	err = c.acknowledge(ctx)

	go c.acknowledgeAgain()

	if err != nil { // the other side has answered, and must not stay in the call
		return nil, errors.Join(err, c.HangUp(context.WithoutCancel(ctx)))
	}

	go c.refresh(response)

	return c, nil
}

// await returns the final response. If ctx ends first, the call is cancelled; if it is answered all the same, the caller must hang up.
func (c *Call) await(ctx context.Context, invite *sip.Request) (*sip.Response, error) {
	var (
		done    = ctx.Done()
		tooLate <-chan time.Time
		last    atomic.Pointer[sip.Response]
	)

	patience := c.handset.waits(func() string { return c.state(last.Load()) })
	defer patience()

	early, over := context.WithCancel(ctx)
	defer c.preconditions.work.Wait()
	defer over() // before the wait

	for {
		select {
		case r, more := <-c.client.Responses():
			switch {
			case !more:
				return nil, errors.Join(errors.New("the call was not answered"), c.client.Err())
			case !r.IsProvisional():
				return r, nil
			case r.StatusCode > 100:
				c.handset.say(fmt.Sprintf("%d %s", r.StatusCode, r.Reason))
				c.progress(early, invite, r)
			}

			last.Store(r)
		case <-done:
			c.client.Cancel()
			patience()
			c.handset.say("the call is cancelled")

			done = nil

			if limit := c.handset.config.CancelTime; limit > 0 {
				timer := time.NewTimer(limit)
				defer timer.Stop()

				tooLate = timer.C
			}
		case <-tooLate:
			return nil, errors.New("the call was cancelled, and the other side has not confirmed it yet")
		}
	}
}

// state returns what an unanswered call waits for.
func (c *Call) state(last *sip.Response) string {
	switch {
	case last == nil:
		return "no answer to the INVITE yet: is there a P-CSCF at " + c.handset.config.Proxy.String() + "?"
	case last.StatusCode == 100:
		return "no answer yet: the core is still working on it (100 Trying), or pages the other handset, for up to 128 s (docs/handset.md)"
	default:
		return fmt.Sprintf("not answered yet: still %d %s", last.StatusCode, last.Reason)
	}
}

// acknowledge sends the ACK of an answered call, which is due even if the call is to end at once (RFC 3261 §13.2.2.4).
func (c *Call) acknowledge(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)

	ack, err := c.dialog.NewAck(c.cseq)
	if err != nil {
		return err
	}

	return c.handset.stack.SendStateless(ctx, ack, c.handset.towards())
}

// acknowledgeAgain answers retransmissions of the 2xx (RFC 3261 §13.2.2.4) while the transaction lasts.
func (c *Call) acknowledgeAgain() {
	for r := range c.client.Responses() {
		if r.IsSuccess() {
			_ = c.acknowledge(context.Background())
		}
	}
}

// invited serves an INVITE: a new call, or a re-INVITE of one.
func (h *Handset) invited(ctx context.Context, tx *stack.ServerTransaction) {
	r := tx.Request()

	if c := h.call(r); c != nil {
		c.renegotiated(tx)
		return
	}

	if _, tagged := r.To().Params.Get("tag"); tagged {
		_ = tx.Reply(481, "")
		return
	}

	c := h.newCall(r.CallID().Value(), r.From().Address.String())
	c.server = tx
	c.preconditions.insists = h.takesPart(r)

	if c.description = c.describe(r); c.description == nil {
		_ = tx.Reply(488, "")
		c.finish("no common media")

		return
	}

	if c.preconditions.insists && !c.prepare(ctx) {
		return
	}

	ringing := c.response(180)
	sip.Add(ringing, "Contact", h.contactHeader())
	_ = tx.Respond(ringing)

	select {
	case h.incoming <- c:
	default:
		_ = tx.Reply(486, "")
		c.finish("busy")

		return
	}

	select {
	case <-tx.Cancelled():
		_ = tx.Reply(487, "")
		c.finish("cancelled")
	case <-c.confirmed:
	case <-c.ended:
	case <-tx.Done():
	case <-ctx.Done():
	}
}

// renegotiated serves a re-INVITE, such as one that puts the handset on hold; UPDATE and PRACK have an answer only if they have an offer.
func (c *Call) renegotiated(tx *stack.ServerTransaction) {
	r := tx.Request()

	if r.Method == "PRACK" && !c.preconditions.pracked(r) {
		_ = tx.Reply(481, "")
		return
	}

	c.preconditions.observe(r)

	response := sip.NewResponse(r, 200, "")
	sip.Add(response, "Contact", c.handset.contactHeader())

	if r.Method == "INVITE" || len(r.Body()) > 0 {
		description := c.describe(r)
		if description == nil { // the session goes on as it was (RFC 3261 §14.2)
			_ = tx.Reply(488, "")
			return
		}

		sip.Add(response, "Content-Type", "application/sdp")
		response.SetBody(c.preconditions.qos(description))
	}

	c.mu.Lock()
	dialog := c.dialog
	c.mu.Unlock()

	if dialog != nil && r.Method != "PRACK" {
		dialog.Refresh(r)
	}

	_ = tx.Respond(response)

	c.preconditions.meet()
}

// Answer answers an incoming call by 200, repeated until the ACK comes. Without an ACK the call is hung up (RFC 3261 §13.3.1.4).
func (c *Call) Answer(ctx context.Context) error {
	response := c.response(200)
	sip.Add(response, "Contact", c.handset.contactHeader())
	sip.Add(response, "Allow", allowed)

	if c.description != nil {
		sip.Add(response, "Content-Type", "application/sdp")
		response.SetBody(c.description)
	}

	c.mu.Lock()
	dialog := c.dialog
	c.mu.Unlock()

	if dialog == nil {
		var err error
		if dialog, err = sip.NewDialogUAS(c.server.Request(), response); err != nil {
			return err
		}
	}

	if alter := c.handset.config.Answer; alter != nil {
		alter(response)
	}

	c.mu.Lock()
	c.dialog = dialog
	c.mu.Unlock()

	timers := stack.DefaultConfig().Timers
	wait, latest := timers.T1, time.Now().Add(64*timers.T1)

	for time.Now().Before(latest) {
		if err := c.server.Respond(response); err != nil {
			return err
		}

		timer := time.NewTimer(wait)

		select {
		case <-c.confirmed:
			timer.Stop()
			return nil
		case <-c.ended:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
			wait = min(2*wait, timers.T2)
		}
	}

	return errors.Join(errors.New("the ACK did not come"), c.HangUp(ctx))
}

// Reject refuses an incoming call.
func (c *Call) Reject(status int) error {
	err := c.server.Reply(status, "")
	c.finish("rejected")

	return err
}

func (c *Call) confirm() {
	c.mu.Lock()
	defer c.mu.Unlock()

	select {
	case <-c.confirmed:
	default:
		close(c.confirmed)
	}
}

// HangUp ends the call and waits for the answer to its BYE.
func (c *Call) HangUp(ctx context.Context) error {
	c.mu.Lock()
	dialog := c.dialog
	c.mu.Unlock()

	if dialog == nil {
		return errors.New("the call was not answered")
	}

	bye, err := dialog.NewRequest("BYE")
	if err != nil {
		return err
	}

	defer c.finish("")

	response, err := c.handset.stack.Do(ctx, bye, c.handset.towards())
	if err != nil {
		return err
	}

	if !response.IsSuccess() {
		return &Refused{response}
	}

	return nil
}

// hungUp serves the other side's BYE.
func (h *Handset) hungUp(tx *stack.ServerTransaction) {
	c := h.call(tx.Request())
	if c == nil {
		_ = tx.Reply(481, "")
		return
	}

	_ = tx.Reply(200, "")

	c.mu.Lock()
	c.forced = slices.ContainsFunc(sip.Reasons(tx.Request()), func(r sip.Reason) bool { return !hangsUp(r) })
	c.mu.Unlock()

	c.finish(strings.Join(sip.Values(tx.Request(), "Reason"), ", "))
}
