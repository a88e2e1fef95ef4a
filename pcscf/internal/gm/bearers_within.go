package gm

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"github.com/dialtone-ims/dialtone/pcscf/internal/dialog"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// passing is a request within a dialog that has bearers.
type passing struct {
	leg     *leg
	ctx     context.Context
	tx      *stack.ServerTransaction
	request *sip.Request
	from    sip.Side
	offer   []byte       // nil: it has none
	refused *sip.Refusal // why the call is released when the transaction is over
	renewed bool         // the 2xx of its INVITE has to be acknowledged
}

// passes looks at a request within a dialog before it goes on. The answer to an offer of a response, in a PRACK, is held until what it
// needs is there; a BYE gives the bearers back.
func (p *Proxy) passes(ctx context.Context, k dialog.Key, tx *stack.ServerTransaction, out *sip.Request, fromCore bool) *passing {
	l := p.bearers.find(k)
	if l == nil {
		return nil
	}

	w := &passing{leg: l, ctx: ctx, tx: tx, request: tx.Request(), from: l.side(fromCore)}
	l.observe(w.from, w.request)

	if out.Method == "BYE" {
		p.bearers.ended(k)
		return nil
	}

	body := session(out)
	if offer, answers := l.takes(body, w.from); answers {
		w.refused = l.need(ctx, tx.Cancelled(), offer, body, w.from.Other())
	} else {
		w.offer = body
	}

	return w
}

// answered holds a response within a dialog until what it needs is there. An answer that both sides hold for given cannot be taken back:
// where it must have its bearers and they are refused, the session is released (TS 24.229 §5.2.8.1.2) once it has gone on.
func (w *passing) answered(r *sip.Response) {
	if w == nil || r.StatusCode == 100 || r.StatusCode >= 300 {
		return
	}

	if r.IsSuccess() && (w.request.IsInvite() || w.request.Method == "UPDATE") {
		w.leg.refreshed(w.from, w.request, r)

		if w.request.IsInvite() && !w.renewed {
			w.renewed = true
			w.leg.answered()
		}
	}

	switch answer := session(r); {
	case answer == nil:
	case w.offer != nil:
		if refused := w.leg.need(w.ctx, w.tx.Cancelled(), w.offer, answer, w.from); refused != nil {
			w.refused = refused
		}
	case w.request.IsInvite():
		w.leg.offers(answer, w.from.Other())
	}
}

// over is called when the final response went upstream.
func (w *passing) over() {
	if w != nil && w.refused != nil {
		w.leg.refuse(w.refused)
	}
}

// answered has what is sent in the dialog from here wait for another ACK.
func (l *leg) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.settled = make(chan struct{})
}

// acknowledges looks at the ACK of a 2xx: it has the answer where the 2xx had the offer.
func (p *Proxy) acknowledges(ctx context.Context, k dialog.Key, ack *sip.Request, fromCore bool) {
	l := p.bearers.find(k)
	if l == nil {
		return
	}

	body := session(ack)
	if offer, answers := l.takes(body, l.side(fromCore)); answers {
		if refused := l.need(ctx, nil, offer, body, l.side(fromCore).Other()); refused != nil {
			l.refuse(refused) // which waits until it has gone on
		}
	}
}

// acknowledged is called when the ACK of a 2xx has gone on: what is sent in the dialog from here may follow it now.
func (p *Proxy) acknowledged(k dialog.Key) {
	if l := p.bearers.find(k); l != nil {
		l.acknowledged()
	}
}

// side returns who a message of the dialog is from.
func (l *leg) side(fromCore bool) sip.Side {
	if fromCore {
		return l.handset.Other()
	}

	return l.handset
}

// offers keeps the offer of a response.
func (l *leg) offers(offer []byte, by sip.Side) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.offer, l.offerer = bytes.Clone(offer), by
}

// takes returns the offer that a description of this side's answers, and has waited for it.
func (l *leg) takes(body []byte, from sip.Side) (offer []byte, answers bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if body == nil || l.offer == nil || l.offerer == from {
		return nil, false
	}

	offer, l.offer = l.offer, nil

	return offer, true
}

func (l *leg) acknowledged() {
	l.mu.Lock()
	defer l.mu.Unlock()

	select {
	case <-l.settled:
	default:
		close(l.settled)
	}
}

func (l *leg) observe(from sip.Side, r *sip.Request) {
	l.mu.Lock()
	d := l.dialog
	l.mu.Unlock()

	if d != nil {
		d.Observe(from, r)
	}
}

func (l *leg) refreshed(from sip.Side, request *sip.Request, r *sip.Response) {
	l.mu.Lock()
	d := l.dialog
	l.mu.Unlock()

	if d != nil {
		d.Answered(from, request, r)
	}
}

const maxParts = 16

// session returns the session description in a message's body, alone or among others (RFC 5621); nil: there is none.
func session(m sip.Message) []byte {
	body := m.Body()
	if len(body) == 0 {
		return nil
	}

	kind, parameters, err := mime.ParseMediaType(sip.Value(m, "Content-Type"))

	switch {
	case err != nil:
		return nil
	case kind == "application/sdp":
		return body
	case !strings.HasPrefix(kind, "multipart/") || parameters["boundary"] == "":
		return nil
	}

	parts := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])

	for range maxParts {
		part, err := parts.NextRawPart()
		if err != nil {
			return nil
		}

		if kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type")); err == nil && kind == "application/sdp" {
			text, err := io.ReadAll(part)
			if err != nil {
				return nil
			}

			return text
		}
	}

	return nil
}
