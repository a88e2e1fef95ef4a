package timeline

// queue is a heap of events.
type queue []*Event

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]

	switch {
	case !a.at.Equal(b.at):
		return a.at.Before(b.at)
	case a.rank != b.rank:
		return a.rank < b.rank
	default:
		return a.sequence < b.sequence
	}
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push adds an event (heap.Interface).
func (q *queue) Push(e any) {
	event := e.(*Event)
	event.index = len(*q)
	*q = append(*q, event)
}

// Pop takes the last event (heap.Interface).
func (q *queue) Pop() any {
	last := len(*q) - 1
	event := (*q)[last]
	event.index = -1
	(*q)[last] = nil
	*q = (*q)[:last]

	return event
}
