package scenario

import "math/rand/v2"

// usualNumber is called if a service names none.
const usualNumber = "+15550100"

// Draw draws a number to be called: one of the service's, by their weights. A short prefix is filled up with zeros and a one.
func (v *Service) Draw(r *rand.Rand) string {
	weight := func(n *Number) float64 {
		if n.Weight == 0 {
			return 1
		}

		return n.Weight
	}

	sum := 0.0
	for i := range v.Numbers {
		sum += weight(&v.Numbers[i])
	}

	at := r.Float64() * sum

	for i := range v.Numbers {
		if at -= weight(&v.Numbers[i]); at < 0 || i == len(v.Numbers)-1 {
			return full(v.Numbers[i].Prefix)
		}
	}

	return usualNumber
}

func full(prefix string) string {
	const filling = "00000001"

	if len(prefix) >= len(usualNumber) {
		return prefix
	}

	return prefix + filling[len(filling)-(len(usualNumber)-len(prefix)):]
}
