package interrogation

import (
	"slices"
	"sync"
	"time"
)

// away remembers the S-CSCFs that could not be reached, so that not every user waits for the same dead one. They come last among the
// candidates until the memory expires or they are heard again.
type away struct {
	lasts time.Duration

	mu      sync.Mutex
	servers map[string]*seen // by name
}

type seen struct {
	heard time.Time // its last response
	until time.Time // end of the time in which it is taken for dead
}

const maxServers = 1000 // names come from the HSS; beyond this some are forgotten

// heard records a response of the server itself.
func (a *away) heard(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()

	s := a.of(name)
	s.heard, s.until = time.Now(), time.Time{}
}

// silent records that a server has sent nothing since a request. It reports whether that makes the server dead: it may have answered
// others.
func (a *away) silent(name string, since time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()

	s := a.of(name)
	if a.lasts <= 0 || !s.heard.Before(since) {
		return false
	}

	s.until = time.Now().Add(a.lasts)

	return true
}

// has reports whether a server is taken for dead.
func (a *away) has(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()

	s := a.servers[name]

	return s != nil && time.Now().Before(s.until)
}

// last returns the same names, with those taken for dead at the end.
func (a *away) last(names []string) []string {
	sorted := slices.Clone(names)
	slices.SortStableFunc(sorted, func(x, y string) int {
		switch there, gone := a.has(x), a.has(y); {
		case there == gone:
			return 0
		case there:
			return 1
		default:
			return -1
		}
	})

	return sorted
}

func (a *away) of(name string) *seen {
	if s := a.servers[name]; s != nil {
		return s
	}

	if a.servers == nil {
		a.servers = map[string]*seen{}
	}

	if len(a.servers) >= maxServers {
		for other := range a.servers {
			delete(a.servers, other)
			break
		}
	}

	s := &seen{}
	a.servers[name] = s

	return s
}
