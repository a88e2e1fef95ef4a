// Package policy is a simulated PCRF (TS 29.214 §4) and PCF (TS 29.514 §4.2) for labs and tests: they grant requests as Open5GS's do,
// refuse or keep silent on request, report lost bearers, and remember what came. They have no gateway: no bearer is set up anywhere.
package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
)

// remembered is the number of messages that a PCRF remembers.
const remembered = 1000

const (
	maxComponents    = 16 // as Open5GS has it
	maxSubComponents = 8
	maxDescriptions  = 15
)

// PCRF serves Rx.
type PCRF struct {
	node *diameter.Node

	mu       sync.Mutex
	decide   func(context.Context, *rx.AAR) error
	sessions map[string]*rx.AAR // as of the last AAR
	clients  map[string]string  // host that has a session
	last     string             // host that sent the last request
	events   []Event
}

// Event is a message that came, and its answer.
type Event struct {
	At      time.Time       `json:"at"`
	Kind    string          `json:"kind"` // AAR or STR
	Session string          `json:"session_id"`
	Request *rx.AAR         `json:"request,omitempty"`
	Result  diameter.Result `json:"result"`
}

// Later is a refusal for a time (4261, TS 29.214 §4.4.1).
type Later struct{ Wait time.Duration }

func (l Later) Error() string { return fmt.Sprintf("not within %s", l.Wait) }

// NewPCRF returns a PCRF with this configuration. It serves once its node runs.
func NewPCRF(c diameter.Config, o diameter.Options) (*PCRF, error) {
	node, err := diameter.New(c, []diameter.Application{rx.Application}, o)
	if err != nil {
		return nil, err
	}

	p := &PCRF{node: node, sessions: map[string]*rx.AAR{}, clients: map[string]string{}}
	diameter.Handle(node, p.authorize)
	diameter.Handle(node, p.terminate)

	return p, nil
}

// Run serves until ctx ends.
func (p *PCRF) Run(ctx context.Context) error { return p.node.Run(ctx) }

// Decide sets a function that is called for each valid AAR before it is granted: its error refuses the AAR, and one that waits for the
// end of the context keeps silent. nil grants all again.
func (p *PCRF) Decide(decide func(context.Context, *rx.AAR) error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.decide = decide
}

// Sessions returns the open sessions by their Session-Ids, as of the last AAR.
func (p *PCRF) Sessions() map[string]*rx.AAR {
	p.mu.Lock()
	defer p.mu.Unlock()

	return maps.Clone(p.sessions)
}

// Events returns the last messages, in order.
func (p *PCRF) Events() []Event {
	p.mu.Lock()
	defer p.mu.Unlock()

	return slices.Clone(p.events)
}

// Forget loses a session without a word, as a restarted PCRF does.
func (p *PCRF) Forget(session string) {
	p.mu.Lock()
	defer p.mu.Unlock()

	delete(p.sessions, session)
}

func (p *PCRF) authorize(ctx context.Context, q *rx.AAR) (*rx.AAA, error) {
	p.mu.Lock()
	decide := p.decide
	p.mu.Unlock()

	err := checkAAR(q)
	if err == nil && decide != nil {
		err = decide(ctx, q)
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	result := rx.Success
	later, forATime := errors.AsType[Later](err)

	if forATime {
		result = rx.TemporarilyNotAuthorized
	} else if err != nil {
		result = diameter.ResultOf(err).Result
	}

	if err != nil {
		delete(p.sessions, q.SessionID) // a refused change ends the session, as with Open5GS
	} else {
		p.sessions[q.SessionID] = q
		p.clients[q.SessionID], p.last = q.OriginHost, q.OriginHost
	}

	p.remember(Event{At: time.Now(), Kind: "AAR", Session: q.SessionID, Request: q, Result: result})

	switch {
	case forATime:
		return &rx.AAA{AnswerHeader: diameter.AnswerHeader{Result: result}, RetryInterval: uint32(later.Wait / time.Second)}, nil
	case err != nil:
		return nil, err
	}

	return &rx.AAA{
		AnswerHeader: diameter.AnswerHeader{Result: result}, IPCANType: new(rx.EPS), RATType: new(rx.EUTRAN),
		Classes: [][]byte{[]byte(q.SessionID)},
	}, nil
}

func (p *PCRF) terminate(_ context.Context, q *rx.STR) (*rx.STA, error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	result := rx.Success
	if p.sessions[q.SessionID] == nil {
		result = rx.UnknownSessionID
	}

	delete(p.sessions, q.SessionID)
	delete(p.clients, q.SessionID)
	p.remember(Event{At: time.Now(), Kind: "STR", Session: q.SessionID, Result: result})

	return &rx.STA{AnswerHeader: diameter.AnswerHeader{Result: result}}, nil
}

func (p *PCRF) remember(e Event) {
	if len(p.events) == remembered {
		p.events = p.events[1:]
	}

	p.events = append(p.events, e)
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

	answer, err := diameter.Call[rx.ASA](ctx, p.node, q)
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

	answer, err := diameter.Call[rx.RAA](ctx, p.node, q)
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
