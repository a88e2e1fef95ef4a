package binding

import "iter"

// index finds bindings by a key that is mostly unique but may be shared by many: ten thousand behind one socket must cost no more than one.
type index[K comparable] struct {
	first map[K]*Binding
	more  map[K]map[*Binding]struct{}
}

func newIndex[K comparable]() index[K] {
	return index[K]{first: map[K]*Binding{}, more: map[K]map[*Binding]struct{}{}}
}

func (i index[K]) add(k K, b *Binding) {
	switch {
	case i.first[k] == nil:
		i.first[k] = b
	case i.first[k] != b:
		if i.more[k] == nil {
			i.more[k] = map[*Binding]struct{}{}
		}

		i.more[k][b] = struct{}{}
	}
}

func (i index[K]) remove(k K, b *Binding) {
	others := i.more[k]

	if i.first[k] == b {
		delete(i.first, k)

		for other := range others {
			i.first[k], b = other, other
			break
		}
	}

	if delete(others, b); len(others) == 0 {
		delete(i.more, k)
	}
}

// all returns the bindings with this key, in no order.
func (i index[K]) all(k K) iter.Seq[*Binding] {
	return func(yield func(*Binding) bool) {
		if b := i.first[k]; b == nil || !yield(b) {
			return
		}

		for b := range i.more[k] {
			if !yield(b) {
				return
			}
		}
	}
}

func (i index[K]) len() int { return len(i.first) + len(i.more) }
