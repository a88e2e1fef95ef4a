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
	offer   []byte       // nil: none
	refused *sip.Refusal // why the call is released after the transaction
	renewed bool         // the 2xx of its INVITE has to be acknowledged
}

// passes inspects a request within a dialog before it is forwarded. The answer to an offer of a response, in a PRACK, is held until what it
// needs is granted; a BYE releases the bearers.
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

// answered holds a response within a dialog until what it needs is granted. An answer that both sides already know cannot be taken back: if
// it requires bearers and they are refused, the session is released (TS 24.229 §5.2.8.1.2) once the answer has been forwarded.
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

// over is called when the final response was forwarded.
func (w *passing) over() {
	if w != nil && w.refused != nil {
		w.leg.refuse(w.refused)
	}
}

// answered makes requests sent in the dialog from here wait for another ACK.
func (l *leg) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.settled = make(chan struct{})
}

// acknowledges inspects the ACK of a 2xx: it carries the answer if the 2xx carried the offer.
func (p *Proxy) acknowledges(ctx context.Context, k dialog.Key, ack *sip.Request, fromCore bool) {
	l := p.bearers.find(k)
	if l == nil {
		return
	}

	body := session(ack)
	if offer, answers := l.takes(body, l.side(fromCore)); answers {
		if refused := l.need(ctx, nil, offer, body, l.side(fromCore).Other()); refused != nil {
			l.refuse(refused) // which waits until the ACK has been forwarded
		}
	}
}

// acknowledged is called when the ACK of a 2xx has been forwarded: requests sent in the dialog from here may follow it now.
func (p *Proxy) acknowledged(k dialog.Key) {
	if l := p.bearers.find(k); l != nil {
		l.acknowledged()
	}
}

// side returns the sender of a message of the dialog.
func (l *leg) side(fromCore bool) sip.Side {
	if fromCore {
		return l.handset.Other()
	}

	return l.handset
}

// offers stores the offer of a response.
func (l *leg) offers(offer []byte, by sip.Side) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.offer, l.offerer = bytes.Clone(offer), by
}

// takes returns and clears the offer that this side's description answers.
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

// session returns the session description in a message's body, alone or as one of its parts (RFC 5621); nil: there is none.
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
