package registrar

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	registers       *prometheus.CounterVec
	authentications *prometheus.CounterVec
	contacts        *prometheus.CounterVec
	terminations    *prometheus.CounterVec
	profileFailures prometheus.Counter
	unexpected      prometheus.Counter
	journalFailures prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer, r *Registrar) metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dialtone_scscf_" + name, Help: help}, labels)
	}
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Name: "dialtone_scscf_" + name, Help: help},
			func() float64 { return float64(value()) },
		)
	}
	m := metrics{
		registers: counter(
			"register_total",
			"REGISTER requests by outcome: registered, refreshed, deregistered, unanswered, or the status of the refusal.",
			"outcome",
		),
		authentications: counter(
			"authentication_total",
			"Steps of authentication: challenged, unanswered, wrong response, network refused, resynchronised.",
			"step",
		),
		contacts:     counter("contacts_ended_total", "Contacts ended other than by REGISTER, by the event of RFC 3680.", "event"),
		terminations: counter("terminations_total", "Registrations ended by RTR or by the operator.", "by"),
		profileFailures: prometheus.NewCounter(
			prometheus.CounterOpts{Name: "dialtone_scscf_profile_failures_total", Help: "Service profiles that could not be used."},
		),
		journalFailures: prometheus.NewCounter(
			prometheus.CounterOpts{
				Name: "dialtone_scscf_journal_failures_total",
				Help: "Times that registrations could not be written to the disk.",
			},
		),
		unexpected: prometheus.NewCounter(
			prometheus.CounterOpts{
				Name: "dialtone_scscf_unexpected_events_total",
				Help: "Events that the registrar's machine has no row for.",
			},
		),
	}

	if registerer != nil {
		registerer.MustRegister(
			m.registers,
			m.authentications,
			m.contacts,
			m.terminations,
			m.profileFailures,
			m.unexpected,
			m.journalFailures,
			gauge("registrations", "Implicit registration sets served, registered or not.", r.store.count),
			gauge("challenges", "Challenges that are not answered yet.", r.authentications.count),
			gauge("profiles", "Different service profiles in use.", r.profiles.Count),
			gauge("pending_work", "Jobs that wait for a worker.", r.work.Len),
		)
	}

	return m
}
