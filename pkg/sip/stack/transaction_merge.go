package stack

import (
	"hash/maphash"
	"net/netip"
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Repeated reports whether an INVITE outside a dialog is in work already, with another branch from the same neighbour; if so, its sender
// gets the responses to the earlier one. Everything that decides where the INVITE goes and who has sent it must be the same.
func (s *Stack) Repeated(tx *ServerTransaction) bool {
	r := tx.request
	if _, tagged := r.To().Params.Get("tag"); tagged || !tx.invite || s.looped(r) {
		return false
	}

	key := repeatHash(r, tx.flow.Remote.Addr())

	tx.mu.Lock()
	tx.repeat = key
	tx.mu.Unlock()

	before := s.transactions.repeated(key, tx)
	if before == nil {
		return false
	}

	if !before.Merge(tx) {
		s.transactions.repeats(key, tx)
		return false
	}

	s.metrics.retransmissions.WithLabelValues("received", tx.flow.Endpoint.name).Inc()
	s.log.Info("an INVITE has come again by another branch: who sent it was started anew", "call_id", r.CallID().Value(),
		"source", tx.flow.Remote.String())

	return true
}

func repeatHash(r *sip.Request, neighbour netip.Addr) uint64 {
	var h maphash.Hash

	h.SetSeed(loopSeed)

	write := func(s string) {
		_, _ = h.WriteString(s) // a hash never fails
		_ = h.WriteByte(0)
	}

	write(loopHash(r))
	write(neighbour.String())

	for _, name := range []string{"Record-Route", "Contact"} {
		sip.EachField(r, name, func(value string) bool { write(value); return true })
		write("")
	}

	return max(h.Sum64(), 1)
}

// merged ties together the server transactions of one request that came several times, with different branches: the element before this
// one has been restarted, and took a retransmission for a new request.
type merged struct {
	into  *ServerTransaction   // the first, whose responses go to this one too
	late  []byte               // 408 to this one: all that is kept of its request
	later []*ServerTransaction // on the first: the others
}

// mostMerged bounds the transactions merged into one INVITE: each response goes to all of them. Beyond it the oldest gets 408: the
// element before this one was restarted since.
const mostMerged = 4

// Merge makes later, a transaction of the same INVITE (RFC 3261 §8.2.2.2: Call-ID, From tag and CSeq), be answered as this one is from
// now on: with its last provisional response at once, then with every response to come. A CANCEL of the later one cancels this one. It
// reports false when no responses are left to come, because this one has ended or has failed; the later one is then on its own.
func (tx *ServerTransaction) Merge(later *ServerTransaction) bool {
	if !tx.merge(later) {
		return false
	}

	later.mu.Lock()
	asked, why := later.asked, later.why
	later.mu.Unlock()

	if asked { // its CANCEL came before the merge
		tx.cancel(why...)
	}

	return true
}

func (tx *ServerTransaction) merge(later *ServerTransaction) bool {
	late := serialise(overtaken.Response(later.request))

	tx.order.Lock() // no response goes out meanwhile
	defer tx.order.Unlock()

	tx.mu.Lock()
	if tx == later || !tx.invite || tx.state != proceeding && tx.state != accepted {
		tx.mu.Unlock()
		return false
	}

	if tx.merged == nil {
		tx.merged = &merged{}
	}

	var oldest *ServerTransaction
	if all := tx.merged.later; len(all) >= mostMerged {
		oldest, tx.merged.later = all[0], slices.Clone(all[1:])
	}

	later.mu.Lock()
	later.merged = &merged{into: tx, late: late}
	later.mu.Unlock()

	tx.merged.later = append(tx.merged.later, later)
	last := tx.last
	tx.mu.Unlock()

	if oldest != nil {
		oldest.giveUp()
	}

	if last != nil {
		later.mirror(last)
	}

	return true
}

// mirror sends a response of the transaction that this one was merged into.
func (tx *ServerTransaction) mirror(raw []byte) {
	r, own := parseResponse(raw), parseResponse(tx.tooLate())
	if r == nil || own == nil || r.StatusCode == 100 {
		return
	}

	sip.Remove(r, "Via")

	vias := own.GetHeaders("Via")
	for i := len(vias) - 1; i >= 0; i-- {
		r.PrependHeader(vias[i].(*sip.ViaHeader).Clone())
	}

	_ = tx.Respond(r)
}

func (tx *ServerTransaction) tooLate() []byte {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	return tx.merged.late
}

// giveUp answers a merged transaction whose first sends no more responses, unless it is answered already.
func (tx *ServerTransaction) giveUp() {
	r := parseResponse(tx.tooLate())
	if r == nil {
		return
	}

	if sent, _ := tx.respond(r); sent != nil {
		tx.stack.gaveUp(tx.flow, r, caseMerged, overtaken)
	}
}

// parseResponse returns the response, or nil for anything else.
func parseResponse(raw []byte) *sip.Response {
	m, err := sip.ParseMessage(raw)
	if err != nil {
		return nil
	}

	r, _ := m.(*sip.Response)

	return r
}

// laterOnes returns the transactions merged into this one.
func (tx *ServerTransaction) laterOnes() []*ServerTransaction {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	if tx.merged == nil {
		return nil
	}

	return tx.merged.later
}

// leave ends the transactions merged into this one, which is over: those without an answer by now get no more from it. It is called with
// the lock held.
func (tx *ServerTransaction) leave() {
	if tx.merged == nil {
		return
	}

	for _, later := range tx.merged.later {
		tx.stack.running.Go(later.giveUp)
	}
}
