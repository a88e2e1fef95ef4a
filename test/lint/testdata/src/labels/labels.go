package labels

import (
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/prometheus/client_golang/prometheus"
)

type side int

func (s side) String() string { return [...]string{"originating", "terminating"}[s] }

type word string

type message struct{ method, status string }

func (m message) String() string { return m.method }

func few(a bool) string {
	if a {
		return "few"
	}

	return label.Method("INVITE")
}

func many(m message, a bool) string {
	if a {
		return "few"
	}

	return m.method
}

func counts(c *prometheus.CounterVec, m message, s side, w word, callback func(string)) {
	outcome := "accepted"
	if s == 1 {
		outcome = "refused"
	}

	invented := "accepted"
	if s == 1 {
		invented = m.status
	}

	text := ""
	callback(text)
	pointer := &text
	*pointer = m.method

	c.WithLabelValues("constant", label.Method(m.method), s.String(), outcome, few(true)).Inc()
	c.WithLabelValues(map[side]string{0: "a", 1: "b"}[s]).Inc()
	c.WithLabelValues(m.method, m.status).Inc()                   // want `by m.method` `by m.status`
	c.WithLabelValues(m.String(), "SIP/"+m.method).Inc()          // want `by m.String\(\)` `by "SIP/" \+ m.method`
	c.WithLabelValues(string(w), invented, text).Inc()            // want `by w` `by invented` `by text`
	c.WithLabelValues(many(m, true)).Inc()                        // want `by many\(m, true\)`
	c.WithLabelValues(map[side]string{0: m.method}[s]).Inc()      // want `by map`
	c.With(prometheus.Labels{"method": m.method, "side": "none"}) // want `by m.method`
	sip.Refuser{}.Refuse("dialog", 403)
	sip.Refuser{}.Refuse(m.method, 403) // want `by m.method`
}

func called(c *prometheus.CounterVec, direction, outcome, anything string) {
	c.WithLabelValues(direction).Inc()
	c.WithLabelValues(outcome).Inc() // want `by outcome`
	func(each string) {
		c.WithLabelValues(each).Inc() // want `by each`
	}(anything)
}

func calls(c *prometheus.CounterVec, m message) {
	called(c, "in", "accepted", "")
	called(c, few(false), m.status, "")
}

func handed(c *prometheus.CounterVec, why string) { c.WithLabelValues(why).Inc() } // want `by why`

// Exported is called by who knows whom.
func Exported(c *prometheus.CounterVec, why string) { c.WithLabelValues(why).Inc() } // want `by why`

var _ = func(c *prometheus.CounterVec) func(*prometheus.CounterVec, string) { handed(c, "one"); return handed }
