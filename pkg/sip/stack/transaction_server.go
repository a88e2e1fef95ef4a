package stack

import (
	"net/netip"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/label"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

type state uint8

const (
	proceeding state = iota // Trying and Proceeding of RFC 3261 §17.2
	accepted                // RFC 6026 §7.1: a 2xx went out for an INVITE
	completed               // a final response went out
	confirmed               // and its ACK came
	terminated
)

const tryingDelay = 200 * time.Millisecond // §17.2.1: then the stack sends 100 itself

// ServerTransaction is a request that was received, until its answer is settled for good (RFC 3261 §17.2, RFC 6026).
//
// sipgo's own machine is not used: it answers 487 to a cancelled INVITE before the proxy knows whether a 2xx has won.
type ServerTransaction struct {
	stack  *Stack
	key    string
	flow   Flow
	invite bool

	order sync.Mutex // held while a response is sent, so that none overtakes the one before it; taken before mu

	mu       sync.Mutex
	done     signal
	cancels  signal         // closed when CANCEL comes
	back     *Flow          // the flow of responses, if not the one that the request first came over
	reply    netip.AddrPort // where responses go when there is no connection
	request  *sip.Request   // until the final response
	state    state
	trying   *sip.Response // the stack's own 100, until any response is sent
	last     []byte        // the last response, for retransmission
	timer    *time.Timer
	interval time.Duration // of timer G
	deadline time.Time     // of timers H, I, J, L
	asked    bool          // CANCEL came
	hands    int           // number of holders of the request: its handler and the keeper
	keeper   keeper        // works on the request when its handler has returned
	answered bool          // the store counts it among the answered; under the store's lock
	why      []sip.Header  // header fields of the CANCEL
	repeat   uint64        // set by Repeated; 0: it was not asked
	merged   *merged       // nil: the request came once
	end      func()        // from Endpoint.InWork; nil: nobody wants to know
}

// newServerTransaction begins the transaction of a request. If there is one already, it returns that one with fresh false: the request is
// a retransmission.
func (s *Stack) newServerTransaction(key string, r *sip.Request, flow Flow, reply netip.AddrPort) (tx *ServerTransaction, fresh bool) {
	tx = &ServerTransaction{
		stack: s, key: key, flow: flow, reply: reply, request: r, invite: r.IsInvite(), hands: 1,
	}

	if tx.invite {
		tx.trying = sip.NewResponse(r, 100, "") // made here, because later its handler may be changing the request
	}

	tx.mu.Lock()
	defer tx.mu.Unlock()

	if other, found := s.transactions.addServer(tx); found {
		return other, false
	}

	if tx.invite {
		tx.timer = time.AfterFunc(tryingDelay, tx.fire)
	}

	return tx, true
}

// Request returns the request, with received and rport in its top Via. It may be read and, by its one handler, changed; From, To, Call-ID
// and CSeq must then be replaced, not changed in place, because responses share them.
func (tx *ServerTransaction) Request() *sip.Request { return tx.request }

// Flow returns the flow that the request came over.
func (tx *ServerTransaction) Flow() Flow { return tx.flow }

// Cancelled returns a channel that is closed when a CANCEL comes before the final response.
func (tx *ServerTransaction) Cancelled() <-chan struct{} { return tx.cancels.channel(&tx.mu) }

// Done returns a channel that is closed when the transaction is over.
func (tx *ServerTransaction) Done() <-chan struct{} { return tx.done.channel(&tx.mu) }

func (tx *ServerTransaction) name() string {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	if r := tx.request; r != nil {
		return string(r.Method) + " " + r.CallID().Value()
	}

	return tx.key
}

// Reply sends a response made from the request; without a reason the standard one is used.
func (tx *ServerTransaction) Reply(status int, reason string, headers ...sip.Header) error {
	response := sip.NewResponse(tx.request, status, reason)
	for _, h := range headers {
		response.AppendHeader(h)
	}

	return tx.Respond(response)
}

// Respond sends a response. After a final one only further 2xx to an INVITE are sent (RFC 3261 §16.7 5): the caller must hear of each of
// several phones that take a call. Other responses are dropped, because the request has its final response.
func (tx *ServerTransaction) Respond(r *sip.Response) error {
	_, err := tx.respond(r)

	return err
}

// respond sends a response and returns its octets, for whoever may have to send it again; nil if it was dropped.
func (tx *ServerTransaction) respond(r *sip.Response) ([]byte, error) {
	raw := serialise(r)

	if err := tx.stack.fits(tx.flow, raw); err != nil {
		if r.IsProvisional() { // the final one may be smaller
			tx.stack.dropped(raw, err)
			return nil, err
		}

		r = tx.instead(r, err)
		if raw = serialise(r); tx.stack.fits(tx.flow, raw) != nil {
			tx.silence() // the request's own header fields make it too large
			return nil, err
		}
	}

	var oldest *ServerTransaction

	late := tx.invite && r.IsSuccess()

	tx.order.Lock()
	defer tx.order.Unlock()

	tx.mu.Lock()

	switch {
	case tx.state != proceeding && !late, tx.state == proceeding && r.StatusCode == 100 && tx.last != nil:
		tx.mu.Unlock()
		return nil, nil
	case tx.state != proceeding: // the transaction has its final response, and repeats that one
	case r.IsProvisional():
		tx.last, tx.trying = raw, nil
		if tx.timer != nil {
			tx.timer.Stop()
			tx.timer = nil // the next retransmission is far away, if the answer comes at all
		}
	default:
		tx.trying = nil
		if tx.last = raw; late {
			tx.last = nil // a 2xx to an INVITE is retransmitted by its sender, not by the transaction (RFC 6026 §7.1)
		}

		oldest = tx.complete(r.IsSuccess())
	}

	back, reply := tx.way()
	tx.mu.Unlock()

	if oldest != nil {
		oldest.terminate()
	}

	tx.stack.metrics.responses.WithLabelValues("sent", tx.flow.Endpoint.name, label.Method(methodOf(r)), label.Status(r.StatusCode)).Inc()

	err := tx.stack.transmitReply(back, reply, raw)

	for _, later := range tx.laterOnes() {
		later.mirror(raw)
	}

	return raw, err
}

// way returns the flow and address of responses. It is called with the lock held.
func (tx *ServerTransaction) way() (Flow, netip.AddrPort) {
	if tx.back != nil {
		return *tx.back, tx.reply
	}

	return tx.flow, tx.reply
}

// again passes on a 2xx that was retransmitted.
func (tx *ServerTransaction) again(raw []byte) {
	if raw == nil { // it could not be sent at all
		return
	}

	tx.mu.Lock()
	back, reply := tx.way()
	tx.mu.Unlock()

	tx.stack.metrics.retransmissions.WithLabelValues("sent", tx.flow.Endpoint.name).Inc()
	_ = tx.stack.transmitReply(back, reply, raw)

	for _, later := range tx.laterOnes() {
		later.mirror(raw)
	}
}

// silence ends a request without a response, and absorbs its retransmissions.
func (tx *ServerTransaction) silence() {
	var oldest *ServerTransaction

	tx.mu.Lock()
	if tx.state == proceeding {
		tx.last, tx.trying = nil, nil
		oldest = tx.complete(false)
	}
	tx.mu.Unlock()

	if oldest != nil {
		oldest.terminate()
	}
}

// complete enters Accepted or Completed. It is called with the lock held. If it returns a transaction, that one exceeds the limit and
// must be terminated after the lock is released.
func (tx *ServerTransaction) complete(success bool) (oldest *ServerTransaction) {
	t, reliable, now := tx.flow.Endpoint.timers, tx.flow.Transport != "UDP", time.Now()

	switch {
	case tx.invite && success:
		tx.state, tx.deadline = accepted, now.Add(64*t.T1) // timer L
	case tx.invite:
		tx.state, tx.deadline, tx.interval = completed, now.Add(64*t.T1), t.T1 // timers H and G
	case reliable:
		// Timer J is zero here; but a client that loses the connection before the answer sends the request again over another one, and a
		// MESSAGE must not be delivered, nor charged, twice.
		tx.state, tx.deadline = completed, now.Add(t.T4)
	default:
		tx.state, tx.deadline = completed, now.Add(64*t.T1) // timer J
	}

	wait := time.Until(tx.deadline)
	if tx.interval > 0 && !reliable {
		wait = tx.interval
	}

	tx.arm(wait)

	if tx.invite {
		return nil
	}

	return tx.stack.transactions.markAnswered(tx, tx.stack.config.Limits.MaxTransactions)
}

// arm sets the timer. It is called with the lock held.
func (tx *ServerTransaction) arm(d time.Duration) {
	if tx.timer == nil {
		tx.timer = time.AfterFunc(d, tx.fire)
	} else {
		tx.timer.Reset(d)
	}
}

// fire handles every timer of the transaction.
func (tx *ServerTransaction) fire() {
	tx.mu.Lock()

	switch {
	case tx.state == proceeding && tx.trying != nil:
		trying := tx.trying
		tx.mu.Unlock()
		_ = tx.Respond(trying)

		return
	case tx.state == proceeding || tx.state == terminated:
		tx.mu.Unlock()
		return
	case !time.Now().Before(tx.deadline):
		tx.over()
		tx.mu.Unlock()

		return
	case tx.state != completed || tx.interval == 0 || tx.flow.Transport != "UDP":
		tx.arm(time.Until(tx.deadline))
		tx.mu.Unlock()

		return
	}

	// Timer G: the ACK has not come yet.
	tx.interval = min(2*tx.interval, tx.flow.Endpoint.timers.T2)
	tx.arm(min(tx.interval, time.Until(tx.deadline)))
	raw := tx.last
	back, reply := tx.way()
	tx.mu.Unlock()

	tx.stack.metrics.retransmissions.WithLabelValues("sent", tx.flow.Endpoint.name).Inc()
	_ = tx.stack.transmitReply(back, reply, raw)
}

// over ends the transaction. It is called with the lock held.
func (tx *ServerTransaction) over() {
	if tx.state == terminated {
		return
	}

	tx.state = terminated
	if tx.timer != nil {
		tx.timer.Stop()
	}

	tx.stack.transactions.removeServer(tx)

	if tx.repeat != 0 {
		tx.stack.transactions.removeInvite(tx)
	}

	tx.done.set()
	tx.leave()
}

func (tx *ServerTransaction) terminate() {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	tx.over()
}

// retransmitted answers a repeated request with the last response; an accepted INVITE is absorbed (RFC 6026 §7.1). A request repeated
// over another connection, because the first is gone, is answered over that one from now on. While a response is being sent there is
// nothing to repeat, and the reader of the socket does not wait.
func (tx *ServerTransaction) retransmitted(flow Flow, reply netip.AddrPort) {
	idle := tx.order.TryLock()
	if idle {
		defer tx.order.Unlock()
	}

	tx.mu.Lock()
	if back, _ := tx.way(); flow.Transport == "TCP" && back.Transport == "TCP" && back.Endpoint.connected(back.Remote) == nil {
		tx.back, tx.reply = &flow, reply
	}

	raw := tx.last
	back, reply := tx.way()
	if tx.state == confirmed || !idle {
		raw = nil
	}
	tx.mu.Unlock()

	tx.stack.metrics.retransmissions.WithLabelValues("received", tx.flow.Endpoint.name).Inc()

	if raw != nil {
		_ = tx.stack.transmitReply(back, reply, raw)
	}
}

// acknowledge handles an ACK. It reports false when the ACK is for a 2xx and so not the transaction's.
func (tx *ServerTransaction) acknowledge() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	switch tx.state {
	case accepted:
		return false
	case completed:
		tx.state = confirmed
		if tx.flow.Transport != "UDP" {
			tx.over() // timer I is zero
			break
		}

		tx.deadline = time.Now().Add(tx.flow.Endpoint.timers.T4)
		tx.arm(tx.flow.Endpoint.timers.T4)
	}

	return true
}

// Withdraw ends the request as a CANCEL does, on this element's own initiative (TS 24.229 §5.4.5.1.1). why are header fields of the
// CANCELs sent downstream, such as Reason (RFC 3326).
func (tx *ServerTransaction) Withdraw(why ...sip.Header) { tx.cancel(why...) }

func (tx *ServerTransaction) cancel(why ...sip.Header) {
	tx.mu.Lock()

	if tx.state != proceeding || tx.asked {
		tx.mu.Unlock()
		return
	}

	tx.asked, tx.why = true, why
	tx.cancels.set()
	keeper, merged := tx.keeper, tx.merged
	tx.mu.Unlock()

	if keeper != nil {
		keeper.withdrawn()
	}

	if merged != nil && merged.into != nil {
		merged.into.cancel(why...)
	}
}

// reasons returns the header fields that came with the CANCEL.
func (tx *ServerTransaction) reasons() []sip.Header {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	return tx.why
}

// keeper works on a request after its handler has returned.
type keeper interface {
	// withdrawn is called when a CANCEL comes before the final response. It must not block.
	withdrawn()
}

// entrust hands the request to a keeper. It reports a CANCEL that has come already, which the keeper is not told of.
func (tx *ServerTransaction) entrust(k keeper) (cancelled bool) {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	tx.keeper = k
	tx.hands++

	return tx.asked
}

// handled is called by each holder of the request when it is done. After the last one, a request without a final response is refused.
func (tx *ServerTransaction) handled() {
	tx.mu.Lock()
	tx.hands--
	done, open, merged := tx.hands == 0, tx.state == proceeding, tx.merged
	tx.mu.Unlock()

	if !done {
		return
	}

	if open && (merged == nil || merged.into == nil) { // else the other transaction answers it
		tx.stack.log.Error("a SIP procedure ended without a final response", "request", tx.name())
		tx.stack.refuser.Refuse(tx, caseUndecided, undecided)
	}

	tx.mu.Lock()
	end := tx.end
	tx.request, tx.keeper, tx.end = nil, nil, nil // only retransmission is left to do
	tx.mu.Unlock()

	if end != nil {
		end()
	}
}
