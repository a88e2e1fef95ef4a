package trace

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is how much of the traffic is kept. With a ring of 0 and no file there is no trace and no cost.
type Config struct {
	Ring int    `yaml:"ring"` // messages kept in memory and served at /trace
	File string `yaml:"file"` // pcapng file, begun anew at each start; opens in Wireshark
}

const (
	maxRing      = 1_000_000
	maxRingBytes = 64 << 20 // of message data; older messages go first
)

// Validate returns an error for a ring larger than any machine should hold.
func (c *Config) Validate() error {
	if c.Ring < 0 || c.Ring > maxRing {
		return fmt.Errorf("trace.ring: %d is not between 0 and %d", c.Ring, maxRing)
	}

	return nil
}

// Record is a Message in the ring. Sequence grows by one with each message of the function; the description is made when it is shown.
type Record struct {
	Sequence uint64 `json:"sequence"`
	Method   string `json:"method,omitempty"` // of SIP or a request of HTTP, or the command of Diameter: "INVITE", "POST", "CCR"
	Status   int    `json:"status,omitempty"` // of a response, or the result of an answer
	Text     string `json:"text,omitempty"`   // of the message, or of the AVPs of Diameter; Data has the octets
	Message
}

// Recorder keeps the last messages and writes all of them to the capture file.
type Recorder struct {
	limit   int
	capture *capture
	dropped prometheus.Counter

	mu    sync.Mutex
	ring  []Record // oldest first, wrapped at start
	start int
	bytes int
	last  uint64
}

// NewRecorder opens the capture file if there is one. Close writes it out.
func NewRecorder(c Config, log *slog.Logger, metrics prometheus.Registerer) (*Recorder, error) {
	r := &Recorder{
		limit: c.Ring,
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_trace_dropped_total", Help: "Messages that the capture file could not keep up with.",
		}),
	}

	if c.File != "" {
		var err error
		if r.capture, err = createCapture(c.File, log); err != nil {
			return nil, fmt.Errorf("trace: %w", err)
		}
	}

	metrics.MustRegister(r.dropped)

	return r, nil
}

// Tap returns the function that endpoints call, or nil if nothing is kept.
func (r *Recorder) Tap() Tap {
	if r.limit == 0 && r.capture == nil {
		return nil
	}

	return r.record
}

// Close ends the capture file.
func (r *Recorder) Close() error {
	if r.capture == nil {
		return nil
	}

	return r.capture.close()
}

func (r *Recorder) record(m Message) {
	m.Data = append([]byte(nil), m.Data...)
	if m.Time.IsZero() {
		m.Time = time.Now()
	}

	r.mu.Lock()
	r.last++
	if r.limit > 0 {
		r.add(Record{Sequence: r.last, Message: m})
	}

	// Under the lock, so that the file has the order of the ring.
	written := r.capture == nil || r.capture.offer(m)
	r.mu.Unlock()

	if !written {
		r.dropped.Inc()
	}
}

func (r *Recorder) add(record Record) {
	for len(r.ring) > 0 && (len(r.ring)-r.start >= r.limit || r.bytes+len(record.Data) > maxRingBytes) {
		if r.start == len(r.ring) {
			break
		}

		r.bytes -= len(r.ring[r.start].Data)
		r.ring[r.start] = Record{}
		r.start++
	}

	if r.start > 0 && r.start >= len(r.ring)/2 { // amortised: each record moves once per half ring
		r.ring = r.ring[:copy(r.ring, r.ring[r.start:])]
		r.start = 0
	}

	r.ring = append(r.ring, record)
	r.bytes += len(record.Data)
}

// after returns up to limit messages that came after sequence, oldest first.
func (r *Recorder) after(sequence uint64, limit int) []Record {
	r.mu.Lock()
	defer r.mu.Unlock()

	kept := r.ring[r.start:]
	if len(kept) > 0 && sequence >= kept[0].Sequence {
		kept = kept[min(uint64(len(kept)), sequence-kept[0].Sequence+1):]
	}

	return append([]Record{}, kept[:min(limit, len(kept))]...)
}

// before returns the last messages that came before sequence (0: all), up to limit, oldest first.
func (r *Recorder) before(sequence uint64, limit int) []Record {
	r.mu.Lock()
	defer r.mu.Unlock()

	kept := r.ring[r.start:]
	if sequence > 0 && len(kept) > 0 {
		older := uint64(0)
		if sequence > kept[0].Sequence {
			older = sequence - kept[0].Sequence
		}

		kept = kept[:min(uint64(len(kept)), older)]
	}

	return append([]Record{}, kept[max(0, len(kept)-limit):]...)
}
