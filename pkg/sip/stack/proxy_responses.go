package stack

import (
	"errors"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// handle processes one event as RFC 3261 §16.7 to §16.10 require.
func (c *responseContext) handle(e event) {
	r := e.run

	switch {
	case c.answered:
		if e.response != nil && e.response.IsSuccess() && c.invite {
			c.success(e)
		}
	case r == nil:
		c.cancel()
	case e.response != nil && e.response.IsSuccess(): // even of an attempt that was given up: the callee that answered must hear of it
		if e.tx != r.tx {
			r.tx.Cancel(elsewhere())
		}

		r.over, c.stop = true, true
		c.success(e)
		c.cancelPending(elsewhere())
		c.finish(e.response)
	case r.over:
	case e.tx == nil:
		c.alarmed(r)
	case e.tx != r.tx: // of an attempt that was given up
	case e.response == nil:
		c.ended(r, e.err)
	case e.response.IsProvisional():
		c.provisional(r, e.response)
	case r.rangOut: // the answer to this proxy's own CANCEL
		c.failed(r, c.unanswered(r, nil))
	default:
		c.refused(r, e.response)
	}
}

// provisional sends a provisional response other than 100 upstream (§16.7 5).
func (c *responseContext) provisional(r *run, response *sip.Response) {
	r.heard(r.tx)

	if response.StatusCode == 100 {
		return
	}

	r.rings = true
	c.ring(r)
	response.RemoveHeader("Via")

	if c.plan.OnResponse != nil {
		c.plan.OnResponse(&r.branch, response)
	}

	_ = c.tx.Respond(response)
}

// refused handles a final response other than 2xx. On a 503 another server is tried, if there is one (RFC 3263 §4.3).
func (c *responseContext) refused(r *run, response *sip.Response) {
	if response.StatusCode == 503 {
		c.stack.resolver.markBusy(r.tx.flow.Remote, response)
		r.ways = besides(r.ways, r.tx.flow.Remote)

		if len(r.ways) > 0 && !c.stop {
			c.again(r)
			return
		}
	}

	response.RemoveHeader("Via")
	c.failed(r, response)
}

// ended handles an attempt that ended without a final response, or that takes too long.
func (c *responseContext) ended(r *run, err error) {
	switch {
	case c.stack.ctx.Err() != nil: // the request ends, too
		return
	case errors.Is(err, errWithdrawn), r.rangOut, c.stop && r.responded: // not the other side's fault
	default:
		c.stack.resolver.MarkFailed(r.target())
	}

	if len(r.ways) > 0 && !c.stop && !r.rangOut {
		c.again(r)
		return
	}

	r.tx.Cancel()
	c.failed(r, c.unanswered(r, err))
}

// unanswered returns the response in place of one that never came.
func (c *responseContext) unanswered(r *run, err error) *sip.Response {
	response := c.instead(r, err)
	if response.StatusCode == 408 && !r.branch.Provisional {
		response.SetSource(silentSource)
	}

	return response
}

func (c *responseContext) instead(r *run, err error) *sip.Response {
	switch {
	case c.cancelled && c.invite:
		return local(c.tx.request, 487, "cancelled, and the other side did not answer")
	case r.rangOut:
		return local(c.tx.request, 408, r.tx.flow.Remote.String()+" rang until timer C")
	case errors.Is(err, errTransport): // §16.9
		return local(c.tx.request, 503, r.tx.flow.Remote.String()+": "+err.Error())
	default:
		return local(c.tx.request, 408, "no answer from "+r.tx.flow.Remote.String())
	}
}

// failed ends a branch with a final response other than 2xx.
func (c *responseContext) failed(r *run, response *sip.Response) {
	r.end()

	if c.plan.OnFailure != nil && !c.stop && !r.rangOut {
		if others := c.plan.OnFailure(&r.branch, response); others != nil {
			c.start(others)
			return
		}
	}

	c.best = append(c.best, response)

	if response.StatusCode >= 600 { // §16.7 5: a 6xx ends all branches
		c.stop = true
		c.cancelPending(sip.StatusReason(response.StatusCode, "").Header())
	}
}

// callee identifies a UA that has answered an INVITE.
type callee struct {
	tx  *ClientTransaction
	tag string
}

// success sends a 2xx upstream, whatever went there before (RFC 3261 §16.7 5). A repeated 2xx to an INVITE is sent the same way without
// calling OnResponse.
func (c *responseContext) success(e event) {
	tag, _ := e.response.To().Params.Get("tag")
	who := callee{e.tx, tag}

	if raw, again := c.forwarded[who]; again {
		c.tx.again(raw)
		return
	}

	if len(c.forwarded) >= maxForwarded {
		c.stack.metrics.unexpected.WithLabelValues(e.tx.flow.Endpoint.name, "2xx").Inc()
		return
	}

	e.response.RemoveHeader("Via")

	if c.plan.OnResponse != nil {
		c.plan.OnResponse(&e.run.branch, e.response)
	}

	raw, _ := c.tx.respond(e.response)

	if c.invite {
		if c.forwarded == nil {
			c.forwarded = map[callee][]byte{}
		}

		c.forwarded[who] = raw
	}
}
