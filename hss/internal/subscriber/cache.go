package subscriber

import "sync"

// cache holds subscriptions as they are in the database, so that the four requests of a registration do not read the same
// rows four times. It is only used where this process is the only writer: with a SQLite file, which is locked for it.
type cache struct {
	mu         sync.Mutex
	generation uint64 // changes with every commit
	byID       map[uint64]*Subscription
	private    map[string]uint64
	public     map[string]uint64 // as written; matches of wildcards are looked up
}

// cacheLimit is the most subscriptions in the cache, some 2 kB each.
const cacheLimit = 20_000

func newCache() *cache {
	c := new(cache)
	c.clear()

	return c
}

func (c *cache) clear() {
	c.byID, c.private, c.public = map[uint64]*Subscription{}, map[string]uint64{}, map[string]uint64{}
}

// find returns a copy of the subscription that the identities belong to, if both are in the cache and of the same subscription. A later put
// is valid only in the returned generation.
func (c *cache) find(private, public string) (*Subscription, uint64) {
	if c == nil {
		return nil, 0
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	privateOf, publicOf := c.private[private], c.public[public]
	if private == "" {
		privateOf = publicOf
	}

	if public == "" {
		publicOf = privateOf
	}

	s := c.byID[privateOf]
	if s == nil || privateOf != publicOf {
		return nil, c.generation
	}

	return s.clone(), c.generation
}

// put stores a subscription that was read in a generation, unless something has been committed since.
func (c *cache) put(s *Subscription, generation uint64) {
	if c == nil {
		return
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	if c.generation == generation {
		c.add(s.clone())
	}
}

func (c *cache) add(s *Subscription) {
	for id := range c.byID { // any one, when it is full
		if len(c.byID) < cacheLimit {
			break
		}

		c.forget(id)
	}

	c.byID[s.ID] = s

	for _, p := range s.Private {
		c.private[p.Identity] = s.ID
	}

	for _, set := range s.Sets {
		for _, p := range set.Public {
			c.public[p.Identity] = s.ID
		}
	}
}

func (c *cache) forget(id uint64) {
	s := c.byID[id]
	delete(c.byID, id)

	for _, p := range s.Private {
		delete(c.private, p.Identity)
	}

	for _, set := range s.Sets {
		for _, p := range set.Public {
			delete(c.public, p.Identity)
		}
	}
}

// committed applies what a transaction has changed. After provisioning, everything is read again.
func (c *cache) committed(t *Tx) {
	if c == nil {
		return
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	c.generation++

	if t.provisioned {
		c.clear()
		return
	}

	for _, s := range t.moved {
		c.add(s.clone())
	}
}

// clone copies all that a procedure may change, and links the copies like the originals.
func (s *Subscription) clone() *Subscription {
	copied := *s
	copied.moved = false
	copied.Private = make([]*PrivateIdentity, len(s.Private))
	copied.Sets = make([]*RegistrationSet, len(s.Sets))

	privates := make(map[*PrivateIdentity]*PrivateIdentity, len(s.Private))

	for i, p := range s.Private {
		private := *p
		copied.Private[i], privates[p] = &private, &private
	}

	for i, set := range s.Sets {
		own := *set
		own.changed = false
		own.Public = make([]*PublicIdentity, len(set.Public))
		own.Registrations = make([]*Registration, len(set.Registrations))

		for j, p := range set.Public {
			public := *p
			public.Profile = nil // loaded when needed, in its current state
			own.Public[j] = &public
		}

		for j, r := range set.Registrations {
			registration := *r
			registration.Private, registration.changed = privates[r.Private], false
			own.Registrations[j] = &registration
		}

		copied.Sets[i] = &own
	}

	return &copied
}
