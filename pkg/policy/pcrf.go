package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
)

const (
	maxComponents    = 16 // as Open5GS has it
	maxSubComponents = 8
	maxDescriptions  = 15
)

// PCRF serves Rx.
type PCRF struct {
	book[*rx.AAR]

	config  diameter.Config
	options diameter.Options
	node    *diameter.Node
	ran     bool // the node has
	decide  func(context.Context, *rx.AAR) error
	clients map[string]string // host that has a session
	last    string            // host that sent the last request
}

// Later is a refusal for a time (4261, TS 29.214 §4.4.1).
type Later struct{ Wait time.Duration }

func (l Later) Error() string { return fmt.Sprintf("not within %s", l.Wait) }

// NewPCRF returns a PCRF with this configuration. It serves once its node runs.
func NewPCRF(c diameter.Config, o diameter.Options) (*PCRF, error) {
	p := &PCRF{book: book[*rx.AAR]{sessions: map[string]*rx.AAR{}}, config: c, options: o, clients: map[string]string{}}

	return p, p.open()
}

// open makes the node.
func (p *PCRF) open() error {
	node, err := diameter.New(p.config, []diameter.Application{rx.Application}, p.options)
	if err != nil {
		return err
	}

	diameter.Handle(node, p.authorize)
	diameter.Handle(node, p.terminate)

	p.mu.Lock()
	defer p.mu.Unlock()

	p.node = node

	return nil
}

// Run serves until ctx ends. It may be called again: then the PCRF has the sessions that it had.
func (p *PCRF) Run(ctx context.Context) error {
	p.mu.Lock()
	again := p.ran
	p.ran = true
	p.mu.Unlock()

	if again {
		if err := p.open(); err != nil {
			return err
		}
	}

	return p.current().Run(ctx)
}

func (p *PCRF) current() *diameter.Node {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.node
}

// Decide sets a function that is called for each valid AAR before it is granted: its error refuses the AAR, and one that waits for the
// end of the context keeps silent. nil grants all again.
func (p *PCRF) Decide(decide func(context.Context, *rx.AAR) error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.decide = decide
}

func (p *PCRF) authorize(ctx context.Context, q *rx.AAR) (*rx.AAA, error) {
	if !p.arrives(ctx, "AAR") {
		return nil, ctx.Err()
	}

	p.mu.Lock()
	decide := p.decide
	p.mu.Unlock()

	err := checkAAR(q)
	if err == nil && decide != nil {
		err = decide(ctx, q)
	}

	answer, err := p.authorized(q, err)
	if !p.settles(ctx, "AAR") {
		return nil, ctx.Err()
	}

	return answer, err
}

// authorized carries out an AAR; refused is why it is refused.
func (p *PCRF) authorized(q *rx.AAR, refused error) (*rx.AAA, error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	result := rx.Success
	later, forATime := errors.AsType[Later](refused)

	if forATime {
		result = rx.TemporarilyNotAuthorized
	} else if refused != nil {
		result = diameter.ResultOf(refused).Result
	}

	if refused != nil {
		delete(p.sessions, q.SessionID) // a refused change ends the session, as with Open5GS
	} else {
		p.sessions[q.SessionID] = q
		p.clients[q.SessionID], p.last = q.OriginHost, q.OriginHost
	}

	p.remember("AAR", q.SessionID, result.Code)

	switch {
	case forATime:
		return &rx.AAA{AnswerHeader: diameter.AnswerHeader{Result: result}, RetryInterval: uint32(later.Wait / time.Second)}, nil
	case refused != nil:
		return nil, refused
	}

	return &rx.AAA{
		AnswerHeader: diameter.AnswerHeader{Result: result}, IPCANType: new(rx.EPS), RATType: new(rx.EUTRAN),
		Classes: [][]byte{[]byte(q.SessionID)},
	}, nil
}

func (p *PCRF) terminate(ctx context.Context, q *rx.STR) (*rx.STA, error) {
	if !p.arrives(ctx, "STR") {
		return nil, ctx.Err()
	}

	result := p.terminated(q.SessionID)
	if !p.settles(ctx, "STR") {
		return nil, ctx.Err()
	}

	return &rx.STA{AnswerHeader: diameter.AnswerHeader{Result: result}}, nil
}

func (p *PCRF) terminated(session string) diameter.Result {
	p.mu.Lock()
	defer p.mu.Unlock()

	result := rx.Success
	if p.sessions[session] == nil {
		result = rx.UnknownSessionID
	}

	delete(p.sessions, session)
	delete(p.clients, session)
	p.remember("STR", session, result.Code)

	return result
}

// checkAAR refuses what Open5GS's PCRF refuses, and what its gateways would drop silently.
func checkAAR(q *rx.AAR) error {
	if _, err := q.UE(); err != nil {
		return &diameter.Error{Result: rx.InvalidAVPValue, Err: err}
	}

	if len(q.MediaComponents) > maxComponents {
		return &diameter.Error{Result: rx.InvalidServiceInformation, Message: "more than sixteen components"}
	}

	for i := range q.MediaComponents {
		if err := checkComponent(&q.MediaComponents[i]); err != nil {
			return err
		}
	}

	return nil
}

func checkComponent(c *rx.MediaComponent) error {
	if t := c.MediaType; t != nil && *t != rx.Audio && *t != rx.Video && *t != rx.Control {
		return &diameter.Error{Result: rx.InvalidAVPValue, Message: fmt.Sprintf("Media-Type %d", *t)}
	}

	if len(c.SubComponents) > maxSubComponents {
		return &diameter.Error{Result: rx.InvalidServiceInformation, Message: "more than eight sub-components"}
	}

	for _, s := range c.SubComponents {
		if len(s.FlowDescriptions) > maxDescriptions {
			return rx.FilterRestrictions
		}

		for _, description := range s.FlowDescriptions {
			if _, err := rx.ParseFilterRule(description); err != nil {
				return &diameter.Error{Result: rx.FilterRestrictions, Err: err}
			}
		}
	}

	return nil
}

// Abort ends a session from this side (ASR), and returns the result of the ASA. The session stays until the STR comes.
func (p *PCRF) Abort(ctx context.Context, session string, cause rx.AbortCause) (diameter.Result, error) {
	q := &rx.ASR{AbortCause: &cause}
	p.address(&q.RequestHeader, session)

	answer, err := diameter.Call[rx.ASA](ctx, p.current(), q)
	if err != nil {
		return diameter.Result{}, err
	}

	return answer.Result, nil
}

// Tell reports an event of a session (RAR), and returns the result of the RAA.
func (p *PCRF) Tell(ctx context.Context, session string, action rx.SpecificAction, flows ...rx.Flows) (diameter.Result, error) {
	return p.Notify(ctx, session, &rx.RAR{SpecificActions: []rx.SpecificAction{action}, Flows: flows})
}

// Moved reports that the UE of a session is reached over another access network (RAR), and returns the result of the RAA.
func (p *PCRF) Moved(ctx context.Context, session string, network rx.IPCANType, radio rx.RATType) (diameter.Result, error) {
	return p.Notify(ctx, session, &rx.RAR{SpecificActions: []rx.SpecificAction{rx.IPCANChange}, IPCANType: &network, RATType: &radio})
}

// Notify sends a RAR about a session, and returns the result of the RAA.
func (p *PCRF) Notify(ctx context.Context, session string, q *rx.RAR) (diameter.Result, error) {
	p.address(&q.RequestHeader, session)

	answer, err := diameter.Call[rx.RAA](ctx, p.current(), q)
	if err != nil {
		return diameter.Result{}, err
	}

	return answer.Result, nil
}

// address sets the destination to the host that has the session, or that asked last, and, as Open5GS does, to this side's own realm.
func (p *PCRF) address(h *diameter.RequestHeader, session string) {
	p.mu.Lock()
	defer p.mu.Unlock()

	h.SessionID, h.DestinationHost = session, cmp.Or(p.clients[session], p.last)
}
