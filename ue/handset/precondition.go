package handset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// preconditions are those of a call in which nobody rings before both sides have their bearers (RFC 3312, TS 24.229 §5.1.3.1, §5.1.4.1).
type preconditions struct {
	insists bool // both sides take part
	early   string
	rseq    uint32         // of the last reliable response that was acknowledged
	work    sync.WaitGroup // what follows a reliable response

	mu           sync.Mutex
	reserved     bool          // this side has its bearer
	theirs       bool          // the other side has its own
	met          chan struct{} // closed once that is known, and answered
	acknowledged chan struct{} // closed by the PRACK
	rack         string        // what the PRACK must acknowledge; "": no response was reliable
}

func newPreconditions() preconditions {
	return preconditions{met: make(chan struct{}), acknowledged: make(chan struct{})}
}

const precondition = "precondition"

// supported returns the options of an INVITE.
func (h *Handset) supported() string {
	if h.config.Reserve == nil {
		return "timer"
	}

	return "timer, 100rel, " + precondition
}

// takesPart reports whether an incoming call has preconditions that this handset has, too.
func (h *Handset) takesPart(invite *sip.Request) bool {
	return h.config.Reserve != nil && sip.HasToken(invite, "Supported", "100rel") && sip.HasToken(invite, "Supported", precondition) &&
		bytes.Contains(invite.Body(), []byte("a=des:qos "))
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// qos adds the state of the preconditions to the accepted stream of a description (RFC 3312 §5).
func (p *preconditions) qos(description []byte) []byte {
	if !p.insists || description == nil {
		return description
	}

	p.mu.Lock()
	local, remote, confirm := "none", "sendrecv", ""

	if p.reserved {
		local = "sendrecv"
	}

	if !p.theirs {
		remote = "none"

		if p.rack != "" { // the callee wants to hear of it
			confirm = "a=conf:qos remote sendrecv\r\n"
		}
	}
	p.mu.Unlock()

	lines := fmt.Sprintf("a=curr:qos local %s\r\na=curr:qos remote %s\r\na=des:qos mandatory local sendrecv\r\n"+
		"a=des:qos optional remote sendrecv\r\n%s", local, remote, confirm)

	var (
		b        bytes.Buffer
		accepted bool
	)

	for line := range bytes.Lines(description) {
		if fields := bytes.Fields(line); bytes.HasPrefix(line, []byte("m=")) {
			if accepted {
				b.WriteString(lines)
			}

			accepted = len(fields) > 1 && string(fields[1]) != "0"
		}

		b.Write(line)
	}

	if accepted {
		b.WriteString(lines)
	}

	return b.Bytes()
}

// observe takes in what an offer or answer of the other side says of its bearer.
func (p *preconditions) observe(m sip.Message) {
	description := ifc.SessionDescription(sip.Value(m, "Content-Type"), m.Body())
	if !p.insists || description == nil {
		return
	}

	_, media := sections(description)
	if !slices.ContainsFunc(media, func(s section) bool { return slices.Contains(s.attributes, "curr:qos local sendrecv") }) {
		return
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	p.theirs = true
}

// meet lets the call go on if the other side has its bearer.
func (p *preconditions) meet() {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.theirs && !isClosed(p.met) {
		close(p.met)
	}
}

// pracked takes a PRACK, and reports whether it acknowledges the reliable response.
func (p *preconditions) pracked(prack *sip.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.rack == "" {
		return true
	}

	if strings.Join(strings.Fields(sip.Value(prack, "RAck")), " ") != p.rack {
		return false
	}

	if !isClosed(p.acknowledged) {
		close(p.acknowledged)
	}

	return true
}

// reserve waits for this side's bearer.
func (c *Call) reserve(ctx context.Context) error {
	if err := c.handset.config.Reserve(ctx); err != nil {
		return fmt.Errorf("no bearer: %w", err)
	}

	c.preconditions.mu.Lock()
	defer c.preconditions.mu.Unlock()

	c.preconditions.reserved = true

	return nil
}

// progress handles a provisional response to this side's INVITE: a reliable one is acknowledged (RFC 3262 §4), and the first one makes the
// early dialog in which this side tells of its bearer.
func (c *Call) progress(ctx context.Context, invite *sip.Request, r *sip.Response) {
	p := &c.preconditions

	number, err := strconv.ParseUint(sip.Value(r, "RSeq"), 10, 32)
	if err != nil || !sip.HasToken(r, "Require", "100rel") || uint32(number) <= p.rseq {
		return
	}

	first := p.rseq == 0
	p.rseq = uint32(number)

	if first {
		dialog, err := sip.NewDialogUAC(invite, r)
		if err != nil {
			c.handset.say(err.Error())
			return
		}

		c.mu.Lock()
		c.dialog = dialog
		c.mu.Unlock()

		p.early, _ = r.To().Params.Get("tag")
	}

	p.observe(r)

	p.work.Go(func() {
		if err := c.acknowledgeEarly(ctx, fmt.Sprintf("%d %d INVITE", number, c.cseq), first); err != nil && ctx.Err() == nil {
			c.handset.say(err.Error())
			c.client.Cancel()
		}
	})
}

// acknowledgeEarly sends the PRACK; after the first one this side gets its bearer, and says so (RFC 3312 §11).
func (c *Call) acknowledgeEarly(ctx context.Context, rack string, first bool) error {
	prack, err := c.dialog.NewRequest("PRACK")
	if err != nil {
		return err
	}

	sip.Add(prack, "RAck", rack)

	if err := c.ask(ctx, prack); err != nil || !first || !c.preconditions.insists {
		return err
	}

	if err := c.reserve(ctx); err != nil {
		return err
	}

	update, err := c.dialog.NewRequest("UPDATE")
	if err != nil {
		return err
	}

	sip.Set(update, "Contact", c.handset.contactHeader())
	sip.Set(update, "Content-Type", "application/sdp")
	update.SetBody(c.preconditions.qos(offer(c.handset.Address().Addr(), c.version.Add(1))))

	return c.ask(ctx, update)
}

// ask sends a request within the early dialog.
func (c *Call) ask(ctx context.Context, r *sip.Request) error {
	response, err := c.handset.stack.Do(ctx, r, c.handset.towards())

	switch {
	case err != nil:
		return err
	case !response.IsSuccess():
		return &Refused{response}
	default:
		return nil
	}
}

// confirmedBy makes the dialog of a 2xx, or goes on with the early one if it is that.
func (c *Call) confirmedBy(invite *sip.Request, r *sip.Response) error {
	c.mu.Lock()
	defer c.mu.Unlock()

	if tag, _ := r.To().Params.Get("tag"); c.dialog != nil && tag == c.preconditions.early {
		c.dialog.Refresh(r)
		return nil
	}

	dialog, err := sip.NewDialogUAC(invite, r)
	if err == nil {
		c.dialog = dialog
	}

	return err
}

// prepare answers an incoming call reliably, and waits for the bearers of both sides (RFC 3262 §3, RFC 3312 §11). It reports whether the
// handset may ring; otherwise the call is over.
func (c *Call) prepare(ctx context.Context) bool {
	status, why := c.awaitBearers(ctx)
	if status == 0 {
		return true
	}

	_ = c.server.Respond(c.response(status))
	c.finish(why)

	return false
}

// awaitBearers returns the status of the refusal, or 0.
func (c *Call) awaitBearers(ctx context.Context) (status int, why string) {
	p := &c.preconditions
	p.rack = fmt.Sprintf("1 %d INVITE", c.server.Request().CSeq().SeqNo)

	response := c.response(183)
	sip.Add(response, "Contact", c.handset.contactHeader())
	sip.Add(response, "Allow", allowed)
	sip.Add(response, "Require", "100rel, "+precondition)
	sip.Add(response, "RSeq", "1")
	sip.Add(response, "Content-Type", "application/sdp")
	response.SetBody(p.qos(c.description))

	dialog, err := sip.NewDialogUAS(c.server.Request(), response)
	if err != nil {
		return 500, err.Error()
	}

	c.mu.Lock()
	c.dialog = dialog
	c.mu.Unlock()

	if status, why := c.repeat(ctx, response); status != 0 {
		return status, why
	}

	c.description = nil // it is acknowledged, and the 200 need not repeat it

	waiting, cancel := context.WithCancel(ctx)
	reserved := make(chan error, 1)

	p.work.Go(func() { reserved <- c.reserve(waiting) })
	defer p.work.Wait()
	defer cancel() // before the wait

	for met := p.met; reserved != nil || met != nil; {
		select {
		case err := <-reserved:
			if err != nil {
				return 580, err.Error()
			}

			reserved = nil
		case <-met:
			met = nil
		case <-c.server.Cancelled():
			return 487, "cancelled"
		case <-c.ended:
			return 487, "ended"
		case <-ctx.Done():
			return 500, ctx.Err().Error()
		}
	}

	return 0, ""
}

var errNoPRACK = errors.New("the PRACK did not come")

// repeat sends a reliable response until its PRACK comes.
func (c *Call) repeat(ctx context.Context, response *sip.Response) (status int, why string) {
	timers := stack.DefaultConfig().Timers

	for wait, latest := timers.T1, time.Now().Add(64*timers.T1); time.Now().Before(latest); wait *= 2 {
		if err := c.server.Respond(response); err != nil {
			return 500, err.Error()
		}

		timer := time.NewTimer(min(wait, time.Until(latest)))

		select {
		case <-c.preconditions.acknowledged:
			timer.Stop()
			return 0, ""
		case <-c.server.Cancelled():
			timer.Stop()
			return 487, "cancelled"
		case <-c.ended:
			timer.Stop()
			return 487, "ended"
		case <-ctx.Done():
			timer.Stop()
			return 500, ctx.Err().Error()
		case <-timer.C:
		}
	}

	return 504, errNoPRACK.Error()
}

// response returns a response to this side's incoming INVITE; all of them have one tag.
func (c *Call) response(status int) *sip.Response {
	response := sip.NewResponse(c.server.Request(), status, "")

	to := response.To()
	if c.tag == "" {
		c.tag, _ = to.Params.Get("tag")
	}

	to.Params.Remove("tag")
	to.Params.Add("tag", c.tag)

	return response
}
