package bearer

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
)

// Either is an Authority that asks a PCRF for UEs on 4G and a PCF for those on 5G. A Choice decides which is asked first; if that one does
// not know the UE, or cannot be reached, the other one is asked, once.
type Either struct {
	pcrf   Authority
	pcf    PCF
	choice Choice

	mu   sync.Mutex
	mute map[string]bool // sessions last requested of the PCF, and not answered
}

// PCF is an Authority that may know from a BSF whether a PCF has the session of a UE.
type PCF interface {
	Authority
	// Has returns an error if that is not known.
	Has(ctx context.Context, ue netip.Addr) (bool, error)
}

// Choice is how it is decided whether a UE is on 4G or on 5G.
type Choice string

// The values of Choice.
const (
	ByAccess  Choice = "access" // by P-Access-Network-Info, as the UE states it; the PCRF first if it states nothing
	ByBSF     Choice = "bsf"    // by whether the BSF has a binding; by P-Access-Network-Info if the BSF does not say
	PCRFFirst Choice = "pcrf"
	PCFFirst  Choice = "pcf"
)

// Choices are the values of Choice.
var Choices = []Choice{ByAccess, ByBSF, PCRFFirst, PCFFirst}

// NewEither returns an Authority that chooses between the two.
func NewEither(pcrf Authority, pcf PCF, choice Choice) *Either {
	return &Either{pcrf: pcrf, pcf: pcf, choice: choice, mute: map[string]bool{}}
}

// Values of By.
const (
	byPCRF = "pcrf"
	byPCF  = "pcf"
)

// NewID returns a Session-Id that is as hard to guess as the name given to a PCF.
func (e *Either) NewID() string { return e.pcrf.NewID() + "." + e.pcf.NewID() }

// Ask asks the authority that has the session; for a new session, both in turn.
func (e *Either) Ask(ctx context.Context, q *Request) (*Grant, error) {
	if q.By != "" {
		return e.ask(ctx, q, q.By)
	}

	first, second := byPCRF, byPCF
	if e.pcfFirst(ctx, &q.Leg) {
		first, second = byPCF, byPCRF
	}

	grant, err := e.ask(ctx, q, first)

	refusal, refused := errors.AsType[*Refusal](err)
	if !refused || !refusal.Elsewhere && !refusal.Undone {
		return grant, err
	}

	grant, err = e.ask(ctx, q, second)
	if again, refused := errors.AsType[*Refusal](err); refused && (again.Elsewhere || again.Undone) {
		both := *refusal // from the one that should know it
		both.Why = refusal.Why + "; " + again.Why
		both.Undone = refusal.Undone && again.Undone

		return nil, &both
	}

	return grant, err
}

func (e *Either) pcfFirst(ctx context.Context, leg *Leg) bool {
	switch e.choice {
	case PCRFFirst:
		return false
	case PCFFirst:
		return true
	case ByBSF:
		if has, err := e.pcf.Has(ctx, leg.UE); err == nil {
			return has
		}
	}

	return onNR(leg.Access)
}

func (e *Either) ask(ctx context.Context, q *Request, by string) (*Grant, error) {
	grant, err := e.of(by).Ask(ctx, q)
	if grant != nil {
		grant.By = by
	}

	_, refused := errors.AsType[*Refusal](err)

	e.mu.Lock()
	defer e.mu.Unlock()

	delete(e.mute, q.ID)

	if by == byPCF && q.By == "" && err != nil && !refused {
		e.mute[q.ID] = true
	}

	return grant, err
}

// End ends a session where it is. If its creation was never answered, the PCRF is asked, which can find it by its name, unless it was the
// PCF that did not answer.
func (e *Either) End(ctx context.Context, h Handle) error {
	e.mu.Lock()
	mute := e.mute[h.ID]
	delete(e.mute, h.ID)
	e.mu.Unlock()

	switch {
	case h.By == "" && mute:
		return nil
	case h.By == "":
		return e.pcrf.End(ctx, h)
	default:
		return e.of(h.By).End(ctx, h)
	}
}

func (e *Either) of(by string) Authority {
	if by == byPCF {
		return e.pcf
	}

	return e.pcrf
}

// onNR reports whether P-Access-Network-Info names NR (TS 24.229 §7.2A.4.2). A UE that has several accesses states several.
func onNR(access string) bool {
	for _, one := range strings.Split(access, ",") {
		kind, _, _ := strings.Cut(one, ";")
		if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(kind)), "3GPP-NR") {
			return true
		}
	}

	return false
}
