package credit

import (
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
)

// Charge is what one service of a session or event cost, and how that was found: the plan of the CDR, with this service and these parts,
// gives these lines again.
type Charge struct {
	Service rating.Service `json:"service"`
	Unit    rating.Unit    `json:"unit"`
	Parts   []rating.Part  `json:"parts"`
	Lines   []rating.Line  `json:"lines"`
	Total   int64          `json:"total"`
}

func charge(meter *rating.Meter, parts []rating.Part) Charge {
	bill := meter.Bill(parts)

	return Charge{Service: meter.Service(), Unit: meter.Unit(), Parts: parts, Lines: bill.Lines, Total: bill.Total}
}

// charges returns those of the services that were used.
func (s *Session) charges() (all []Charge) {
	for _, quota := range s.Services {
		if quota.meter != nil && len(quota.Parts) > 0 {
			all = append(all, charge(quota.meter, quota.Parts))
		}
	}

	return all
}

// Rerated returns what the use in the record costs under a plan, and whether it has a price for all of it.
func (r *CDR) Rerated(plan *rating.Plan) (cost int64, priced bool) {
	charges := r.Charges
	if len(charges) == 0 {
		charges = r.used()
	}

	priced = true

	for i := range charges {
		c := &charges[i]
		if len(c.Parts) == 0 {
			continue
		}

		meter := plan.Meter(c.Service, c.Unit)

		if _, err := meter.Rate(c.Parts[0].At); err != nil {
			priced = false
			continue
		}

		cost = min(cost+meter.Cost(c.Parts), rating.Unpayable)
	}

	return cost, priced
}

// used returns the use in a record of an OCS that did not keep its parts.
func (r *CDR) used() (all []Charge) {
	numbering := DefaultConfig().Numbering
	service := rating.Service{
		Number: numbering.Normalise(r.Called), Calling: numbering.Normalise(r.Calling), Terminating: r.Terminating, Context: r.ServiceContext,
	}

	if r.Kind == "message" {
		service.Message = message(r.ServiceContext, "MESSAGE")
	}

	add := func(unit rating.Unit, at time.Time, units uint64) {
		if units > 0 {
			all = append(all, Charge{Service: service, Unit: unit, Parts: []rating.Part{{At: at, Units: units}}})
		}
	}

	answered := r.Started
	if r.Answered != nil {
		answered = *r.Answered
	}

	add(rating.Seconds, answered, r.Billed)
	add(rating.Octets, r.Started, r.Octets)
	add(rating.Events, r.Started, r.Events)

	return all
}
