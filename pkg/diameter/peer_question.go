package diameter

import "time"

// A peer that connects while it has a connection (RFC 6733 §5.6.4) has lost that one more often than not. The open connection is tested
// by a DWR with a deadline of its own; meanwhile the newcomer waits for its CEA. At most one waits, the last that came. All functions
// here are called with the peer's lock held, except lives and replace.

// ask makes c wait for the open connection's answer.
func (p *peer) ask(c *connection) {
	fresh := p.newcomer == nil
	p.dismissNewcomer()
	p.newcomer = c
	p.asked.Store(true)

	open := p.open.Load()
	p.question = time.AfterFunc(questionTime, func() { p.replace(open, c) })

	if fresh {
		p.node.log.Info("Diameter peer connects while it has a connection; that one is asked", "peer", p.host, "address", c.conn.RemoteAddr())
	}

	open.sendDWR()
}

// settleQuestion ends the test and returns the connection that waited for it.
func (p *peer) settleQuestion() *connection {
	c := p.newcomer
	p.newcomer = nil
	p.asked.Store(false)

	if p.question != nil {
		p.question.Stop()
	}

	return c
}

func (p *peer) dismissNewcomer() {
	if c := p.settleQuestion(); c != nil {
		c.reject()
	}
}

// lives handles the answer of the open connection.
func (p *peer) lives(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.open.Load() == c {
		p.dismissNewcomer()
	}
}

// replace handles the end of the time in which the open connection could have answered.
func (p *peer) replace(open, c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.newcomer != c || p.open.Load() != open {
		return
	}

	p.settleQuestion()
	open.blame(errReplaced)
	p.node.metrics.failovers.WithLabelValues("connection").Inc()
	p.step(eventReplaced, c)
}

// reject answers the CER of a connection that is not wanted beside another.
func (c *connection) reject() {
	c.blame(errSuperior)
	c.answerCER(UnableToComply, "there is a connection already")
	c.finish(errSuperior)
}
