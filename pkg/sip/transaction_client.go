package sip

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/label"
)

var (
	// ErrTimeout is the end of a client transaction to which no final response came.
	ErrTimeout = errors.New("sip: no response in time")
	// ErrTransport is the end of one whose request could not be sent, or whose connection ended before a response (RFC 3261
	// §17.1.4). Who sent it does as if 503 had come (§8.1.3.1, §16.9).
	ErrTransport = errors.New("sip: transport error")

	errDisconnected = fmt.Errorf("%w: the connection ended", ErrTransport)
	errWithdrawn    = errors.New("sip: cancelled before it was sent")
)

// ClientTransaction is a request that was sent, until its answer is settled (RFC 3261 §17.1, RFC 6026).
//
// sipgo's own machine is not used: it waits 4 s with its lock held before it acknowledges a final response again, keeps
// non-INVITE transactions for timer D instead of K, and blocks who reads the socket.
type ClientTransaction struct {
	stack     *Stack
	key       string
	flow      Flow
	method    string
	host      string // sent-by of the Via
	port      int
	user      clientUser
	responses chan *Response

	mu       sync.Mutex
	done     signal
	request  *Request // for retransmission, CANCEL and ACK; nil once none can come
	ack      []byte   // of a final response other than 2xx, for when that comes again
	state    state
	answered bool               // a provisional response came
	ringing  bool               // one of 101 to 199
	cancel   bool               // CANCEL is wanted as soon as it may be sent
	why      []Header           // that CANCEL says
	withdraw context.CancelFunc // ends the wait for a connection; nil once the request is sent
	stream   *stream            // that the request went over
	resent   bool               // over a second connection
	timer    *time.Timer
	interval time.Duration // of timers A and E; zero when nothing is sent again
	deadline time.Time     // of timers B, D, F, K, M; zero while an INVITE rings
	err      error
}

// clientUser takes what comes of a client transaction, in its order: responses, and then the end, a nil response. It is called with
// the transaction's lock held and must not block.
type clientUser interface {
	delivered(tx *ClientTransaction, r *Response, err error)
}

// waiter is the user of a client transaction whose Responses somebody reads, and unheeded of one that nobody waits for.
type (
	waiter   struct{}
	unheeded struct{}
)

func (waiter) delivered(tx *ClientTransaction, r *Response, _ error) { tx.queue(r) }

func (unheeded) delivered(*ClientTransaction, *Response, error) {}

const responseQueue = 64

// begin sends the request, which has its Via and is raw, and starts its timers. Who reads Responses waits until it is sent; another
// user does not wait for a connection, and is told when there is none.
func (s *Stack) begin(ctx context.Context, r *Request, raw []byte, flow Flow, user clientUser) (*ClientTransaction, error) {
	if err := s.fits(flow, raw); err != nil {
		return nil, err
	}

	via := r.Via()
	branch, _ := via.Params.Get("branch")
	tx := &ClientTransaction{
		stack: s, key: branch + "|" + string(r.Method), flow: flow, method: string(r.Method), host: via.Host, port: via.Port,
		request: r, user: user,
	}

	s.metrics.requests.WithLabelValues("sent", flow.Endpoint.name, label.Method(tx.method)).Inc()

	_, waits := user.(waiter)

	if !waits && flow.Transport != "UDP" && flow.Endpoint.connected(flow.Remote) == nil {
		ctx, cancel := context.WithCancel(s.ctx)
		tx.withdraw = cancel
		s.transactions.addClient(tx)
		s.running.Go(func() {
			defer cancel()
			tx.connect(ctx, raw)
		})

		return tx, nil
	}

	if waits {
		tx.responses = make(chan *Response, responseQueue)
	}

	s.transactions.addClient(tx)

	if err := tx.first(ctx, raw); err != nil {
		s.transactions.removeClient(tx)
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}

	tx.sent()

	return tx, nil
}

// connect sends a request that has to wait for its connection.
func (tx *ClientTransaction) connect(ctx context.Context, raw []byte) {
	if err := tx.first(ctx, raw); err != nil {
		tx.terminate(fmt.Errorf("%w: %w", ErrTransport, err))
		return
	}

	tx.sent()
}

// first sends the request for the first time.
func (tx *ClientTransaction) first(ctx context.Context, raw []byte) error {
	e := tx.flow.Endpoint
	if tx.flow.Transport == "UDP" {
		return e.transmit(ctx, tx.flow, raw)
	}

	for {
		c, err := e.stream(ctx, tx.flow)
		if err != nil {
			return err
		}

		again := c.dialled && !tx.resent

		tx.mu.Lock()
		withdrawn, carried := tx.state == terminated, false
		if !withdrawn {
			if carried = c.carried.add(tx); carried {
				tx.stream, tx.withdraw = c, nil
			}
		}
		tx.mu.Unlock()

		switch {
		case withdrawn:
			return errWithdrawn
		case !carried: // it ended since, and is no more the endpoint's
			continue
		}

		tx.stack.trace(c.flow, raw, true)

		err = c.write(raw)

		switch {
		case err == nil || !c.carried.remove(tx): // else the end of the connection tells it
			return nil
		case !again:
			return err
		}

		e.forget(c) // one that the other side has closed meanwhile

		tx.mu.Lock()
		tx.resent, tx.stream = true, nil
		tx.mu.Unlock()
	}
}

// sent starts the timers.
func (tx *ClientTransaction) sent() {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	if tx.state != proceeding || tx.answered && tx.method == "INVITE" { // the answer was faster
		return
	}

	t := tx.flow.Endpoint.timers
	tx.deadline = time.Now().Add(64 * t.T1) // timers B and F
	wait := 64 * t.T1

	if tx.flow.Transport == "UDP" {
		tx.interval = t.T1
		wait = t.T1
	}

	tx.arm(wait)
}

// disconnected is told when the connection that the request went by has ended. Nothing will come by it, unless the other
// side is alive and rings: it may open another one for its answer (RFC 3261 §18.2.2). Else the same request goes over a new
// connection once more: the end of the old one may have had its cause in a message of another transaction, and to who has taken
// the request already it is a retransmission, for its branch is the same (§17.2.3).
func (tx *ClientTransaction) disconnected(by *stream, err error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	tx.stream = nil

	switch s := tx.stack; {
	case tx.state != proceeding || tx.ringing:
	case !by.dialled || tx.resent || tx.cancel || s.ctx.Err() != nil:
		tx.over(err)
	default:
		tx.resent = true
		raw := serialise(tx.request)

		s.metrics.retransmissions.WithLabelValues("sent", tx.flow.Endpoint.name).Inc()
		s.running.Go(func() {
			if again := tx.first(s.ctx, raw); again != nil {
				tx.terminate(fmt.Errorf("%w, and there is no other: %w", err, again))
			}
		})
	}
}

// Responses gives the responses in the order in which they came: provisional ones, the final one, and further 2xx to an
// INVITE. It is closed when no more can come; Err then says why there was none.
func (tx *ClientTransaction) Responses() <-chan *Response { return tx.responses }

// Done is closed when the transaction is over.
func (tx *ClientTransaction) Done() <-chan struct{} { return tx.done.channel(&tx.mu) }

// Flow is the way that the request went.
func (tx *ClientTransaction) Flow() Flow { return tx.flow }

// Err is why the transaction ended without a final response.
func (tx *ClientTransaction) Err() error {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	return tx.err
}

// queue is what becomes of responses when somebody reads Responses. A final one is never lost for want of a reader.
func (tx *ClientTransaction) queue(r *Response) {
	if r == nil {
		close(tx.responses)
		return
	}

	for {
		select {
		case tx.responses <- r:
			return
		default:
		}

		if r.IsProvisional() {
			return
		}

		select {
		case <-tx.responses:
		default:
		}
	}
}

// receive takes a response. The endpoint calls it in the order of arrival.
func (tx *ClientTransaction) receive(r *Response) {
	if via := r.Via(); via.Port != tx.port || !strings.EqualFold(bareHost(via.Host), bareHost(tx.host)) { // §18.1.2
		tx.stack.metrics.unexpected.WithLabelValues(tx.flow.Endpoint.name, "sent-by").Inc()
		return
	}

	if tx.responses == nil && tx.method != "CANCEL" && !passable(r) { // every CANCEL is made here (§16.10)
		tx.stack.metrics.unexpected.WithLabelValues(tx.flow.Endpoint.name, "via").Inc()
		return
	}

	tx.mu.Lock()

	invite := tx.method == "INVITE"
	pass := false

	var send []byte

	switch {
	case tx.state == terminated:
	case r.IsProvisional():
		pass = tx.state == proceeding
		if !pass {
			break
		}

		if !tx.answered && tx.cancel { // §9.1: only now may CANCEL go
			tx.stack.running.Go(tx.sendCancel)
		}

		tx.answered = true
		tx.ringing = tx.ringing || r.StatusCode > 100

		switch {
		case invite && tx.cancel: // §9.1: the time that Cancel set goes on, whatever still rings
			tx.interval = 0
			tx.arm(time.Until(tx.deadline))
		case invite:
			tx.rest() // timer B stops; the proxy's timer C goes on
		}
	case tx.state == proceeding:
		pass = true
		send = tx.finish(r)
	case tx.state == accepted && r.IsSuccess():
		pass = true // another 2xx, or the same again: whoever sends ACK must know
	case tx.state == completed && invite && r.IsSuccess():
		pass = true // another callee behind a fork: whoever sent the INVITE must know (§16.7 5)
	case tx.state == completed && invite:
		send = tx.ack // the ACK was lost
		tx.stack.metrics.retransmissions.WithLabelValues("received", tx.flow.Endpoint.name).Inc()
	default:
		tx.stack.metrics.retransmissions.WithLabelValues("received", tx.flow.Endpoint.name).Inc()
	}

	if pass { // under the lock, so that the end of the transaction cannot overtake it
		tx.user.delivered(tx, r, nil)
	}

	if tx.state == completed && !time.Now().Before(tx.deadline) { // reliable transport: nothing to wait for
		tx.over(nil)
	}

	tx.mu.Unlock()

	switch {
	case send == nil:
	case tx.flow.Transport != "UDP" && tx.flow.Endpoint.connected(tx.flow.Remote) == nil: // who reads the socket cannot wait
		tx.stack.running.Go(func() { _ = tx.flow.Endpoint.transmit(tx.stack.ctx, tx.flow, send) })
	default:
		_ = tx.flow.Endpoint.transmit(tx.stack.ctx, tx.flow, send)
	}
}

// passable tells whether a response that a proxy takes can go on: a Via is left of who sent the request (RFC 3261 §16.7 3).
func passable(r *Response) bool {
	vias := 0

	for _, h := range headersOf(r) {
		if equalFold(h.Name(), "via") {
			vias++
		}
	}

	return vias > 1
}

func bareHost(host string) string { return strings.Trim(host, "[]") }

// finish enters Accepted or Completed; what it returns is the ACK to send. It is called with the lock held.
func (tx *ClientTransaction) finish(r *Response) (ack []byte) {
	t, now := tx.flow.Endpoint.timers, time.Now()

	switch {
	case tx.method == "INVITE" && r.IsSuccess():
		tx.state, tx.deadline = accepted, now.Add(64*t.T1) // timer M
	case tx.method == "INVITE":
		tx.state, tx.deadline = completed, now
		if tx.flow.Transport == "UDP" {
			tx.deadline = now.Add(max(32*time.Second, 64*t.T1)) // timer D
		}

		tx.ack = serialise(newAck(tx.request, r))
		ack = tx.ack
	default:
		tx.state, tx.deadline = completed, now
		if tx.flow.Transport == "UDP" {
			tx.deadline = now.Add(t.T4) // timer K
		}
	}

	tx.request, tx.interval = nil, 0
	if wait := tx.deadline.Sub(now); wait > 0 {
		tx.arm(wait)
	} else if tx.timer != nil {
		tx.timer.Stop()
	}

	return ack
}

// rest stops the timers while an INVITE rings. It is called with the lock held.
func (tx *ClientTransaction) rest() {
	tx.deadline, tx.interval = time.Time{}, 0
	if tx.timer != nil {
		tx.timer.Stop()
	}
}

// arm is called with the lock held.
func (tx *ClientTransaction) arm(d time.Duration) {
	if tx.timer == nil {
		tx.timer = time.AfterFunc(d, tx.fire)
	} else {
		tx.timer.Reset(d)
	}
}

// fire is all timers of the transaction.
func (tx *ClientTransaction) fire() {
	tx.mu.Lock()

	switch {
	case tx.state == terminated || tx.deadline.IsZero():
		tx.mu.Unlock()
		return
	case !time.Now().Before(tx.deadline):
		var err error
		if tx.state == proceeding {
			err = ErrTimeout // timers B and F
		}

		tx.mu.Unlock()
		tx.terminate(err)

		return
	case tx.interval == 0:
		tx.arm(time.Until(tx.deadline))
		tx.mu.Unlock()

		return
	}

	// Timers A and E. An INVITE doubles without end, others up to T2, and at T2 once they are tried (§17.1.2.2).
	switch tx.interval *= 2; {
	case tx.method == "INVITE":
	case tx.answered:
		tx.interval = tx.flow.Endpoint.timers.T2
	default:
		tx.interval = min(tx.interval, tx.flow.Endpoint.timers.T2)
	}

	tx.arm(min(tx.interval, time.Until(tx.deadline)))
	raw := serialise(tx.request) // written anew: it is larger than what it is made of, and seldom needed
	tx.mu.Unlock()

	tx.stack.metrics.retransmissions.WithLabelValues("sent", tx.flow.Endpoint.name).Inc()
	_ = tx.flow.Endpoint.transmit(tx.stack.ctx, tx.flow, raw)
}

// over ends the transaction. It is called with the lock held; the end is told after it.
func (tx *ClientTransaction) over(err error) {
	if tx.state == terminated {
		return
	}

	tx.state, tx.err = terminated, err
	if tx.timer != nil {
		tx.timer.Stop()
	}

	if tx.withdraw != nil {
		tx.withdraw()
	}

	if tx.stream != nil {
		tx.stream.carried.remove(tx)
		tx.stream = nil
	}

	tx.request, tx.ack = nil, nil
	tx.stack.transactions.removeClient(tx)
	tx.done.set()
	tx.user.delivered(tx, nil, err)
}

func (tx *ClientTransaction) terminate(err error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	tx.over(err)
}

// Cancel asks the other side to end an INVITE (RFC 3261 §9.1): at once when a provisional response has come, else when it
// comes. Its final response comes as any other. One that still waits for its connection is over at once. why are header fields
// of the CANCEL, such as Reason (RFC 3326).
func (tx *ClientTransaction) Cancel(why ...Header) {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	if tx.method != "INVITE" || tx.state != proceeding || tx.cancel {
		return
	}

	if tx.withdraw != nil {
		tx.over(errWithdrawn)
		return
	}

	tx.cancel, tx.why = true, why

	// §9.1: what does not end within 64*T1 after CANCEL is over.
	tx.deadline = time.Now().Add(64 * tx.flow.Endpoint.timers.T1)
	if tx.interval == 0 {
		tx.arm(time.Until(tx.deadline))
	}

	if tx.answered {
		tx.stack.running.Go(tx.sendCancel)
	}
}

func (tx *ClientTransaction) sendCancel() {
	tx.mu.Lock()
	if tx.request == nil {
		tx.mu.Unlock()
		return
	}

	cancel := newCancel(tx.request, tx.why)
	tx.mu.Unlock()

	if _, err := tx.stack.begin(tx.stack.ctx, cancel, serialise(cancel), tx.flow, unheeded{}); err != nil {
		tx.stack.log.Warn("CANCEL could not be sent", "to", tx.flow.Remote.String(), "error", err)
	}
}

func (tx *ClientTransaction) String() string {
	return tx.method + " to " + tx.flow.Remote.String() + " (" + strconv.Itoa(int(tx.state)) + ")"
}
