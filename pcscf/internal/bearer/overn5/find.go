package overn5

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5/bsf"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
	"github.com/dialtone-ims/dialtone/pkg/sbi"
)

// attempts is how many PCFs are asked about one UE at most.
const attempts = 3

// open creates a session at the PCF of a UE (TS 29.514 §4.2.2.2). If there is a choice of PCFs, the next one is asked if one cannot be
// reached, takes nothing now, or does not know the UE. If the BSF said that it would know it, the BSF is asked once more.
func (p *PCF) open(ctx context.Context, q *bearer.Request) (*sbi.Answer, error) {
	body := npcf.AppSessionContext{Request: p.create(q)}

	for again := false; ; again = true {
		roots, err := p.find(ctx, q.Leg.UE)
		if err != nil {
			return nil, unfound(err)
		}

		var answer *sbi.Answer

		for i, root := range roots {
			answer, err = p.request(ctx, q, http.MethodPost, root, npcf.Collection, body)

			if i+1 == min(len(roots), attempts) || !p.another(root, err) {
				break
			}
		}

		refusal, refused := errors.AsType[*bearer.Refusal](err)
		if refused && (refusal.Elsewhere || refusal.Undone) && p.bsf != nil && p.bsf.Forget(q.Leg.UE) && !again {
			continue
		}

		return answer, err
	}
}

// another reports whether the next PCF is to be asked, after this outcome of one.
func (p *PCF) another(root string, err error) bool {
	refusal, refused := errors.AsType[*bearer.Refusal](err)

	switch {
	case !refused:
		return false
	case refusal.Undone || refusal.Code == http.StatusServiceUnavailable:
		if p.nrf != nil {
			p.nrf.Avoid(root)
		}

		return true
	default:
		return refusal.Elsewhere
	}
}

// find returns the roots of the APIs of the PCFs that may have the session of a UE, in the order in which to ask; "": the SCP finds it.
func (p *PCF) find(ctx context.Context, ue netip.Addr) ([]string, error) {
	if p.bsf != nil {
		root, err := p.bsf.Find(ctx, ue)

		switch _, unbound := errors.AsType[*bsf.Unbound](err); {
		case err == nil:
			return []string{root}, nil
		case unbound || p.config.PCF == "":
			return nil, err
		}
	}

	switch {
	case p.config.PCF != "":
		return []string{p.config.PCF}, nil
	case p.nrf != nil:
		return p.nrf.Find(ctx, service)
	default:
		return []string{""}, nil
	}
}

// bsfRoot returns the root of the API of the BSF; "": the SCP finds it.
func (p *PCF) bsfRoot(ctx context.Context) (string, error) {
	switch {
	case p.config.BSF != Discovered:
		return p.config.BSF, nil
	case p.nrf == nil:
		return "", nil
	}

	roots, err := p.nrf.Find(ctx, bsf.Service)
	if err != nil {
		return "", err
	}

	return roots[0], nil
}

// Has reports whether a PCF has the session of a UE, as the BSF says; an error: it does not say, or there is none.
func (p *PCF) Has(ctx context.Context, ue netip.Addr) (bool, error) {
	if p.bsf == nil {
		return false, errors.New("there is no BSF")
	}

	_, err := p.bsf.Find(ctx, ue)
	if _, unbound := errors.AsType[*bsf.Unbound](err); unbound {
		return false, nil
	}

	return err == nil, err
}

// unfound returns the refusal of a request for which there is no PCF.
func unfound(err error) *bearer.Refusal {
	if unbound, ok := errors.AsType[*bsf.Unbound](err); ok {
		return &bearer.Refusal{Code: http.StatusNotFound, Why: unbound.Why, Elsewhere: true}
	}

	return &bearer.Refusal{Code: http.StatusBadGateway, Why: fmt.Sprintf("no PCF is known: %v", err), Undone: true}
}
