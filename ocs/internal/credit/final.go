package credit

import (
	"net/netip"
	"strings"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// indication returns the Final-Unit-Indication of the last units (RFC 8506 §5.6, §8.34).
func indication(f *rating.FinalUnit) *ro.FinalUnitIndication {
	switch f.Action {
	case rating.Redirect:
		return &ro.FinalUnitIndication{Action: ro.FinalRedirect, RedirectServer: &ro.RedirectServer{
			AddressType: addressType(f.Redirect), Address: f.Redirect,
		}}
	case rating.Restrict:
		i := &ro.FinalUnitIndication{Action: ro.FinalRestrictAccess, FilterIDs: f.Filters}
		for _, rule := range f.Rules {
			i.RestrictionFilters = append(i.RestrictionFilters, []byte(rule))
		}

		return i
	default:
		return &ro.FinalUnitIndication{Action: ro.FinalTerminate}
	}
}

// terms returns the terms of the session's tariff, by default the configured ones.
func (s *Server) terms(t *rating.Plan) (final *rating.FinalUnit, low int64) {
	final, low = &s.config.FinalUnit, s.config.LowBalance

	if t.FinalUnit != nil {
		final = t.FinalUnit
	}

	if t.LowBalance != nil {
		low = *t.LowBalance
	}

	return final, low
}

// tellBalance adds the unspent balance to the answer, reservations included (TS 32.299 §7.2).
func (s *Server) tellBalance(w *exchange, t *rating.Plan) {
	if w.purse.Account == nil || w.answer == nil {
		return
	}

	left := w.purse.Account.Balance + w.purse.Reserved.Balance

	if _, low := s.terms(t); low > 0 {
		const notApplicable, yes = 0, 1

		indicated := uint32(notApplicable)
		if left < low {
			indicated = yes
		}

		w.answer.LowBalanceIndication = &indicated
	}

	if s.config.ShowBalance {
		w.answer.RemainingBalance = &ro.Money{Value: s.money(left), Currency: &s.config.Currency}
	}
}

// addressType returns Redirect-Address-Type (RFC 8506 §8.38).
func addressType(address string) uint32 {
	const ipv4, ipv6, url, sipURI = 0, 1, 2, 3

	if ip, err := netip.ParseAddr(address); err == nil {
		if ip.Is4() {
			return ipv4
		}

		return ipv6
	}

	if strings.HasPrefix(address, "sip") {
		return sipURI
	}

	return url
}
