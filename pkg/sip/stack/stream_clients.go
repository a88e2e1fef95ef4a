package stack

import "sync"

// carried has the client transactions whose requests went over a stream. They are told when it ends.
type carried struct {
	mu    sync.Mutex
	sent  map[*ClientTransaction]struct{}
	ended bool
}

// add adds a transaction; it reports false when the stream has ended already.
func (c *carried) add(tx *ClientTransaction) bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.ended {
		return false
	}

	if c.sent == nil {
		c.sent = map[*ClientTransaction]struct{}{}
	}

	c.sent[tx] = struct{}{}

	return true
}

// remove removes a transaction; it reports false when it is not there, because it was told or is being told.
func (c *carried) remove(tx *ClientTransaction) bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	_, there := c.sent[tx]
	delete(c.sent, tx)

	return there
}

// end tells the transactions that their stream is gone (RFC 3261 §17.1.4).
func (c *carried) end(by *stream, err error) {
	c.mu.Lock()
	sent := c.sent
	c.sent, c.ended = nil, true
	c.mu.Unlock()

	for tx := range sent {
		tx.disconnected(by, err)
	}
}
