package stack

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

const shards = 64

// store holds the transactions of a stack. Each ends by its own timers.
type store struct {
	count    atomic.Int64 // all
	answered atomic.Int64 // of them, answered requests other than INVITE: only a retransmission can still come
	shards   [shards]struct {
		sync.Mutex
		servers  map[string]*ServerTransaction
		clients  map[string]*ClientTransaction
		answered queue
		invites  map[uint64]*ServerTransaction // by the hash of what makes a request the same, whatever its branch
	}
}

// queue holds answered transactions, the oldest first.
type queue struct {
	waiting []*ServerTransaction
	live    int // of those waiting that are still in the store
}

var seed = maphash.MakeSeed()

func shardOf(key string) int { return int(maphash.String(seed, key) % shards) }

func (s *store) len() int { return int(s.count.Load()) }

// working returns how many transactions have more to do than absorb retransmissions.
func (s *store) working() int { return int(s.count.Load() - s.answered.Load()) }

// markAnswered records that a request other than INVITE is answered. About limit of them are kept for their retransmissions (RFC 3261
// §17.2.2 timer J). The transaction that it returns exceeds that: it is the oldest of its shard, and must be terminated.
func (s *store) markAnswered(tx *ServerTransaction, limit int) (oldest *ServerTransaction) {
	shard := &s.shards[shardOf(tx.key)]
	shard.Lock()
	defer shard.Unlock()

	if shard.servers[tx.key] != tx {
		return nil
	}

	tx.answered = true
	s.answered.Add(1)

	q := &shard.answered
	q.live++
	q.waiting = append(q.waiting, tx)

	for shard.servers[q.waiting[0].key] != q.waiting[0] { // ended by its own timer; tx itself is there
		q.pop()
	}

	if q.live <= max(limit/shards, 1) {
		return nil
	}

	return q.pop()
}

func (q *queue) pop() *ServerTransaction {
	oldest := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]

	return oldest
}

func (s *store) server(key string) (*ServerTransaction, bool) {
	shard := &s.shards[shardOf(key)]
	shard.Lock()
	defer shard.Unlock()

	tx, found := shard.servers[key]

	return tx, found
}

func (s *store) client(key string) (*ClientTransaction, bool) {
	shard := &s.shards[shardOf(key)]
	shard.Lock()
	defer shard.Unlock()

	tx, found := shard.clients[key]

	return tx, found
}

// addServer adds a transaction unless there is one with its key, which it then returns. Both are one step: the same request may come over
// two sockets at once.
func (s *store) addServer(tx *ServerTransaction) (other *ServerTransaction, found bool) {
	shard := &s.shards[shardOf(tx.key)]
	shard.Lock()
	defer shard.Unlock()

	if shard.servers == nil {
		shard.servers = map[string]*ServerTransaction{}
	}

	if other, found = shard.servers[tx.key]; found {
		return other, true
	}

	shard.servers[tx.key] = tx
	s.count.Add(1)

	return tx, false
}

// repeated returns the earlier transaction of the same INVITE; nil if this one is the first, which it then records.
func (s *store) repeated(key uint64, tx *ServerTransaction) *ServerTransaction {
	shard := &s.shards[key%shards]
	shard.Lock()
	defer shard.Unlock()

	if before := shard.invites[key]; before != nil {
		return before
	}

	if shard.invites == nil {
		shard.invites = map[uint64]*ServerTransaction{}
	}

	shard.invites[key] = tx

	return nil
}

// repeats records a transaction in place of the one before.
func (s *store) repeats(key uint64, tx *ServerTransaction) {
	shard := &s.shards[key%shards]
	shard.Lock()
	defer shard.Unlock()

	shard.invites[key] = tx
}

// removeInvite removes a transaction that is over.
func (s *store) removeInvite(tx *ServerTransaction) {
	shard := &s.shards[tx.repeat%shards]
	shard.Lock()
	defer shard.Unlock()

	if shard.invites[tx.repeat] == tx {
		delete(shard.invites, tx.repeat)
	}
}

func (s *store) addClient(tx *ClientTransaction) {
	shard := &s.shards[shardOf(tx.key)]
	shard.Lock()
	defer shard.Unlock()

	if shard.clients == nil {
		shard.clients = map[string]*ClientTransaction{}
	}

	shard.clients[tx.key] = tx
	s.count.Add(1)
}

func (s *store) removeServer(tx *ServerTransaction) {
	shard := &s.shards[shardOf(tx.key)]
	shard.Lock()
	defer shard.Unlock()

	if shard.servers[tx.key] != tx {
		return
	}

	delete(shard.servers, tx.key)
	s.count.Add(-1)

	if tx.answered {
		shard.answered.live--
		s.answered.Add(-1)
	}
}

func (s *store) removeClient(tx *ClientTransaction) {
	shard := &s.shards[shardOf(tx.key)]
	shard.Lock()
	defer shard.Unlock()

	if shard.clients[tx.key] == tx {
		delete(shard.clients, tx.key)
		s.count.Add(-1)
	}
}

func (s *store) terminateAll() {
	var servers []*ServerTransaction

	var clients []*ClientTransaction

	for i := range s.shards {
		shard := &s.shards[i]
		shard.Lock()
		for _, tx := range shard.servers {
			servers = append(servers, tx)
		}
		for _, tx := range shard.clients {
			clients = append(clients, tx)
		}
		shard.Unlock()
	}

	for _, tx := range servers {
		tx.terminate()
	}

	for _, tx := range clients {
		tx.terminate(errClosed)
	}
}
