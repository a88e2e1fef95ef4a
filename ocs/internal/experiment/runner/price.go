package runner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/client"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
)

// prices rate what was used by the scenario's tariffs, whatever was reported of it: the difference from what the OCS debited is leakage.
type prices struct {
	tariffs map[string]*rating.Plan
	usual   string
}

func newPrices(s *scenario.Scenario) (*prices, error) {
	p := &prices{tariffs: map[string]*rating.Plan{}, usual: s.OCS.Credit.Tariff}

	for name, value := range s.Tariffs {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("tariffs.%s: %w", name, err)
		}

		tariff := &rating.Tariff{Name: name}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()

		if err := decoder.Decode(tariff); err != nil {
			return nil, fmt.Errorf("tariffs.%s: %w", name, err)
		}

		if p.tariffs[name], err = rating.Compile(tariff); err != nil {
			return nil, fmt.Errorf("tariffs.%s: %w", name, err)
		}
	}

	return p, nil
}

// price returns what a use costs, part by part; nothing, if there is no price for it.
func (p *prices) price(w *client.Wanted, begun time.Time, used []rating.Part) int64 {
	name := w.Tariff
	if name == "" {
		name = p.usual
	}

	tariff := p.tariffs[name]
	if tariff == nil {
		return 0
	}

	unit := map[string]rating.Unit{
		scenario.Call: rating.Seconds, scenario.Data: rating.Octets, scenario.Message: rating.Events,
	}[w.Kind]
	service := rating.Service{Number: w.Called}

	if w.Kind != scenario.Message {
		service.RatingGroup = &w.RatingGroup
	}

	meter := tariff.Meter(service, unit)
	if _, err := meter.Rate(begun); err != nil {
		return 0
	}

	var parts []rating.Part
	for _, part := range used {
		parts = meter.Add(parts, part.At, part.Units)
	}

	return meter.Cost(parts)
}
