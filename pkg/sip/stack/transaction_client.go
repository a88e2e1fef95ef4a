package stack

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/label"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

var (
	// errTimeout ends a client transaction to which no final response came.
	errTimeout = errors.New("sip: no response in time")
	// errTransport ends a client transaction whose request could not be sent, or whose connection ended before a response (RFC 3261
	// §17.1.4). The sender treats it as a 503 (§8.1.3.1, §16.9).
	errTransport = errors.New("sip: transport error")

	errDisconnected = fmt.Errorf("%w: the connection ended", errTransport)
	errWithdrawn    = errors.New("sip: cancelled before it was sent")
)

// ClientTransaction is a request that was sent, until no more responses can come (RFC 3261 §17.1, RFC 6026).
//
// sipgo's own machine is not used: it waits 4 s with its lock held before it acknowledges a final response again, keeps non-INVITE
// transactions for timer D instead of K, and blocks the reader of the socket.
type ClientTransaction struct {
	stack     *Stack
	key       string
	flow      Flow
	method    string
	host      string // sent-by of the Via
	port      int
	user      clientUser
	responses chan *sip.Response

	mu       sync.Mutex
	request  *sip.Request // for retransmission, CANCEL and ACK; nil once none can come
	ack      []byte       // of a final response other than 2xx, for its retransmissions
	state    state
	answered bool               // a provisional response came
	ringing  bool               // one of 101 to 199 came
	cancel   bool               // CANCEL is wanted as soon as it may be sent
	why      []sip.Header       // header fields of the CANCEL
	withdraw context.CancelFunc // ends the wait for a connection; nil once the request is sent
	stream   *stream            // the stream that the request went over
	resent   bool               // sent again over a second connection
	timer    *time.Timer
	interval time.Duration // of timers A and E; zero when nothing is sent again
	deadline time.Time     // of timers B, D, F, K, M; zero while an INVITE rings
	err      error
}

// clientUser receives the responses of a client transaction in order, and then its end, as a nil response. It is called with the
// transaction's lock held and must not block.
type clientUser interface {
	delivered(tx *ClientTransaction, r *sip.Response, err error)
}

// waiter is the user of a client transaction whose Responses somebody reads; unheeded is the user of one that nobody waits for.
type (
	waiter   struct{}
	unheeded struct{}
)

func (waiter) delivered(tx *ClientTransaction, r *sip.Response, _ error) { tx.queue(r) }

func (unheeded) delivered(*ClientTransaction, *sip.Response, error) {}

const responseQueue = 64

// startClient sends the request, which has its Via and is serialised as raw, and starts its timers. A reader of Responses waits until it
// is sent; any other user does not wait for a connection, and is told when there is none.
func (s *Stack) startClient(ctx context.Context, r *sip.Request, raw []byte, flow Flow, user clientUser) (*ClientTransaction, error) {
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
		tx.responses = make(chan *sip.Response, responseQueue)
	}

	s.transactions.addClient(tx)

	if err := tx.first(ctx, raw); err != nil {
		s.transactions.removeClient(tx)
		return nil, fmt.Errorf("%w: %w", errTransport, err)
	}

	tx.sent()

	return tx, nil
}

// Responses returns the channel of the responses in the order of arrival: provisional ones, the final one, and further 2xx to an INVITE.
// It is closed when no more can come; if there was no final response, Err then says why.
func (tx *ClientTransaction) Responses() <-chan *sip.Response { return tx.responses }

// taken reports whether a provisional response came.
func (tx *ClientTransaction) taken() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	return tx.answered
}

// Err returns why the transaction ended without a final response.
func (tx *ClientTransaction) Err() error {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	return tx.err
}

// queue puts a response into the channel of Responses. A final one is never lost for want of a reader.
func (tx *ClientTransaction) queue(r *sip.Response) {
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

func (tx *ClientTransaction) String() string {
	return tx.method + " to " + tx.flow.Remote.String() + " (" + strconv.Itoa(int(tx.state)) + ")"
}
