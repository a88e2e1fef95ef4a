package stack

import "github.com/dialtone-ims/dialtone/pkg/sip"

// choose returns the best response of RFC 3261 §16.7 6.
func (c *responseContext) choose() *sip.Response {
	var best *sip.Response

	for _, r := range c.best {
		if best == nil || better(r.StatusCode, best.StatusCode) {
			best = r
		}
	}

	switch {
	case best == nil && c.cancelled && c.invite: // before it was sent
		return local(c.tx.request, 487, "cancelled")
	case best == nil:
		return local(c.tx.request, 480, "there was no target")
	case best.StatusCode == 503: // §16.7 6, §16.9: a next hop that is overloaded or away does not make this proxy so
		best.StatusCode, best.Reason = 500, sip.Phrase(500)
		if !Local(best) && !sip.Has(best, "Reason") {
			sip.SetReasons(best, unavailable)
		}
	case best.StatusCode == 401 || best.StatusCode == 407: // §16.7 7
		for _, r := range c.best {
			if r == best || r.StatusCode != 401 && r.StatusCode != 407 {
				continue
			}

			for _, name := range []string{"WWW-Authenticate", "Proxy-Authenticate"} {
				for _, h := range r.GetHeaders(name) {
					best.AppendHeader(h)
				}
			}
		}
	}

	return best
}

// better ranks final responses: 6xx first, then the lowest class, and within 4xx those that tell the caller how to go on.
func better(a, b int) bool {
	rank := func(status int) int {
		switch {
		case status >= 600:
			return 0
		case status == 401 || status == 407 || status == 415 || status == 420 || status == 484:
			return 4000
		case status == 408 || status == 430: // they say the least of their class
			return 4999
		default:
			return status/100*1000 + 1 + status%100
		}
	}

	return rank(a) < rank(b)
}
