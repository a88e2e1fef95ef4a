package stack

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/trace"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Config holds the endpoints of a SIP stack, its timers and its limits.
type Config struct {
	Endpoints    []EndpointConfig `yaml:"endpoints"`
	Timers       Timers           `yaml:"timers"`
	UDPSizeLimit int              `yaml:"udp_size_limit"` // octets; a larger request tries TCP first (RFC 3261 §18.1.1); 0: never
	Limits       Limits           `yaml:"limits"`
	Resolver     ResolverConfig   `yaml:"resolver"`
}

// EndpointConfig is one address. Its name appears in traces and metrics.
type EndpointConfig struct {
	Name       string   `yaml:"name"`
	Address    string   `yaml:"address"`    // ip:port
	Advertise  string   `yaml:"advertise"`  // ip or ip:port given to others in place of address
	Transports []string `yaml:"transports"` // udp, tcp
	Names      []string `yaml:"names"`      // host names that mean this endpoint in Route

	Timers EndpointTimers `yaml:"timers,omitempty"` // where they differ from the stack's: over radio a round trip takes longer
	// FixedPort makes TCP connections leave from the endpoint's port, as those between TS 33.203's protected ports must.
	FixedPort bool `yaml:"-"`
}

// EndpointTimers are the timers of one endpoint's transactions. Zero values are taken from the stack's.
type EndpointTimers struct {
	T1 time.Duration `yaml:"t1"`
	T2 time.Duration `yaml:"t2"`
	T4 time.Duration `yaml:"t4"`
}

// HandsetTimers returns the timers between a UE and its P-CSCF (TS 24.229 §7.7, table 7.7.1).
func HandsetTimers() EndpointTimers {
	return EndpointTimers{T1: 2 * time.Second, T2: 16 * time.Second, T4: 17 * time.Second}
}

// or returns t with its zero values taken from others.
func (t EndpointTimers) or(others EndpointTimers) EndpointTimers {
	return EndpointTimers{T1: cmp.Or(t.T1, others.T1), T2: cmp.Or(t.T2, others.T2), T4: cmp.Or(t.T4, others.T4)}
}

// For sets these timers on an endpoint that has none of its own.
func (t EndpointTimers) For(e EndpointConfig) EndpointConfig {
	e.Timers = e.Timers.or(t)
	return e
}

func (t Timers) endpoint() EndpointTimers { return EndpointTimers{T1: t.T1, T2: t.T2, T4: t.T4} }

func (t EndpointTimers) valid() bool { return t.T1 > 0 && t.T2 >= t.T1 && t.T4 > 0 }

// Timers of RFC 3261 §17 and §16.
type Timers struct {
	T1 time.Duration `yaml:"t1"` // estimate of the round-trip time
	T2 time.Duration `yaml:"t2"` // longest wait between retransmissions
	T4 time.Duration `yaml:"t4"` // how long a message stays in the network
	C  time.Duration `yaml:"c"`  // an INVITE that rings longer is cancelled; each 101 to 199 starts it anew
	// Ringing is the longest total time of an INVITE, however often the callee says that it still rings.
	Ringing time.Duration `yaml:"ringing"`
}

// Limits bound what outsiders can make the stack keep.
type Limits struct {
	MaxMessage      int           `yaml:"max_message"`      // octets
	MaxTransactions int           `yaml:"max_transactions"` // beyond it new requests are answered 503
	TCPConnections  int           `yaml:"tcp_connections"`  // accepted, over all endpoints
	TCPPerSource    int           `yaml:"tcp_per_source"`   // accepted from one address, at one endpoint
	TCPIdle         time.Duration `yaml:"tcp_idle"`         // a connection without traffic is closed
	TCPMessageTime  time.Duration `yaml:"tcp_message_time"` // until a message begun, or the first of an accepted connection, is complete
}

// DefaultConfig returns these endpoints with the timers of the specification.
func DefaultConfig(endpoints ...EndpointConfig) Config {
	return Config{
		Endpoints: endpoints,
		Timers: Timers{
			T1:      500 * time.Millisecond,
			T2:      4 * time.Second,
			T4:      5 * time.Second,
			C:       181 * time.Second,
			Ringing: 10 * time.Minute,
		},
		UDPSizeLimit: 1300,
		Limits: Limits{
			MaxMessage: 65535, MaxTransactions: 100_000, TCPConnections: 10_000, TCPPerSource: 500,
			TCPIdle: 2 * time.Hour, TCPMessageTime: 20 * time.Second,
		},
		Resolver: DefaultResolverConfig(),
	}
}

// Validate refuses settings that cannot work, and names the setting.
func (c *Config) Validate() error {
	names := map[string]bool{}

	for _, e := range c.Endpoints {
		if err := e.validate(); err != nil {
			return err
		}

		if own := e.Timers.or(c.Timers.endpoint()); !own.valid() {
			return fmt.Errorf("sip.endpoints: %s: timers: t1, t2 and t4 must be positive, t2 not below t1", e.Name)
		}

		if names[e.Name] {
			return fmt.Errorf("sip.endpoints: %s stands twice", e.Name)
		}

		names[e.Name] = true
	}

	t, l := c.Timers, c.Limits
	if !t.endpoint().valid() || t.C <= 0 || t.Ringing < t.C {
		return errors.New("sip.timers: t1, t2, t4, c and ringing must be positive, t2 not below t1, ringing not below c")
	}

	if l.MaxMessage < 1500 || l.MaxMessage > 1<<20 || l.MaxTransactions <= 0 || l.TCPConnections <= 0 || l.TCPPerSource <= 0 ||
		l.TCPIdle <= 0 ||
		l.TCPMessageTime <= 0 {
		return errors.New("sip.limits: all must be positive, max_message between 1500 and 1048576")
	}

	_, err := NewResolver(c.Resolver)

	return err
}

// Options are the optional dependencies of a stack.
type Options struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Tap     trace.Tap
	Network Network // nil: the machine's
	// Screen is asked about each received message before anything is kept of it. A message with an error is dropped; a *Refusal is also
	// sent to the sender of a request.
	Screen func(Flow, sip.Message) error
	// Stray is asked about each response to an INVITE that has this stack's Via and that no transaction takes. It must not block; the
	// Passer that it returns passes the response on. nil: they are dropped.
	Stray func(Flow, *sip.Response) Passer
	// Urgent is asked about a request when max_transactions are in work: one that cannot wait is served all the same. It must not block.
	Urgent func(Flow, *sip.Request) bool
}
