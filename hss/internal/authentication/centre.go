package authentication

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

// Centre allocates the sequence numbers of SIMs for all interfaces (TS 33.102 §6.3).
type Centre struct {
	log                *slog.Logger
	vectors            prometheus.Counter
	resynchronisations *prometheus.CounterVec
}

// NewCentre returns a Centre with its metrics registered.
func NewCentre(log *slog.Logger, registry prometheus.Registerer) *Centre {
	c := &Centre{
		log: log,
		vectors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_hss_vectors_total", Help: "AKA vectors given out.",
		}),
		resynchronisations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_hss_resynchronisations_total", Help: "AUTS received, by what came of them.",
		}, []string{"outcome"}),
	}
	registry.MustRegister(c.vectors, c.resynchronisations)

	return c
}

// Request is a request for sequence numbers.
type Request struct {
	Use           subscriber.Use
	Vectors       int
	Resynchronise []byte          // RAND||AUTS, or nil
	Wrong         diameter.Result // for an AUTS that is not the SIM's
}

// Numbers allocates the sequence numbers of the vectors, after the resynchronisation if there is one. The private identity belongs to the
// subscription.
func (c *Centre) Numbers(
	tx *subscriber.Tx,
	s *subscriber.Subscription,
	p *subscriber.PrivateIdentity,
	secrets subscriber.Secrets,
	r Request,
) ([]uint64, error) {
	if r.Resynchronise != nil {
		if err := c.resynchronise(tx, p, secrets, r); err != nil {
			return nil, err
		}
	}

	numbers, err := tx.NextSQN(s, p, r.Use, r.Vectors)
	c.vectors.Add(float64(len(numbers)))

	return numbers, err
}

// resynchronise sets our sequence number to the SIM's if the SIM would not accept our next one (TS 33.102 §6.3.5). AUTS is verified in any
// case: a wrong MAC-S is the first sign of a wrong K or OPc.
func (c *Centre) resynchronise(tx *subscriber.Tx, p *subscriber.PrivateIdentity, secrets subscriber.Secrets, r Request) error {
	sim, err := resynchronise(p, secrets, r.Resynchronise)

	switch {
	case errors.Is(err, aka.ErrMACS):
		c.resynchronisations.WithLabelValues("wrong MAC-S").Inc()
		return &diameter.Error{
			Result:  r.Wrong,
			Message: fmt.Sprintf("AUTS of %s has a wrong MAC-S: K or OPc in the HSS differs from the SIM (entered was %s)", p.Identity, p.Operator),
			Err:     err,
		}
	case err != nil:
		return err
	case inRange(p.SQN, sim):
		c.resynchronisations.WithLabelValues("in range").Inc()
		c.log.Info("AUTS received: the SIM will accept the next SQN as it is", "impi", p.Identity, "sqn", shown(p.SQN), "sqn_of_sim", shown(sim))

		return nil
	}

	before := p.SQN
	if err := tx.SetSQN(p, sim); err != nil {
		return err
	}

	c.resynchronisations.WithLabelValues("stepped").Inc()
	c.log.Info("AUTS received: SQN stepped to the SIM's", "impi", p.Identity, "sqn", shown(before), "sqn_of_sim", shown(sim))

	return nil
}

func shown(sqn uint64) string { return fmt.Sprintf("%012x", sqn) }
