package diameter

import "time"

// maxPending is how many requests of one connection may wait for their answers.
const maxPending = 1 << 16

// transaction is one request that waits for its answer. It is reused for other requests, and waits on one connection at a time.
type transaction struct {
	end   chan ending   // how the wait ended; empty while the transaction is registered
	moved chan struct{} // the peer is suspect: better try another
	timer *time.Timer   // the request's deadline
}

// ending is an answer, an answer that cannot be read, or the loss of the connection.
type ending struct {
	answer *Message
	fault  *WireError
}

func newTransaction() *transaction {
	t := &transaction{end: make(chan ending, 1), moved: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	t.timer.Stop()

	return t
}

// reset makes t as new. Nothing may hold it any more.
func (t *transaction) reset() {
	t.timer.Stop()

	select {
	case <-t.end:
	default:
	}

	select {
	case <-t.moved:
	default:
	}
}

// expect registers a transaction under a new hop-by-hop identifier (RFC 6733 §3: unique on the connection).
func (c *connection) expect(t *transaction) (hopByHop uint32, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.closed || len(c.pending) >= maxPending {
		return 0, false
	}

	c.hopByHop++
	c.pending[c.hopByHop] = t

	return c.hopByHop, true
}

// forget ensures that the transaction hears no more of this connection.
func (c *connection) forget(hopByHop uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()

	delete(c.pending, hopByHop)
}

// ended gives the answer to the transaction that waits for it. It reports false when none does.
func (c *connection) ended(hopByHop uint32, how ending) bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	t, expected := c.pending[hopByHop]
	if expected {
		delete(c.pending, hopByHop)
		t.end <- how
	}

	return expected
}

// failover lets every waiting request look for another peer (RFC 3539 §3.4.1). One that finds none goes on waiting here.
func (c *connection) failover() {
	c.mu.Lock()
	defer c.mu.Unlock()

	for _, t := range c.pending {
		select {
		case t.moved <- struct{}{}:
		default:
		}
	}
}

// lose ends every waiting transaction. c.mu is held.
func (c *connection) lose() {
	for _, t := range c.pending {
		t.end <- ending{}
	}

	c.pending = nil
}
