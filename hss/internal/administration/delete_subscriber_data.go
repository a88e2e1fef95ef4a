package administration

import (
	"reflect"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// withdrawn returns what an MME must delete of a SIM's data (DSR-Flags and the Context-Identifiers of APNs, TS 29.272 §5.2.2.2), and
// whether there is more to be told, by an IDR. An IDR lists all APNs, so that APNs are withdrawn by a DSR only where there is no need for
// an IDR; the default APN never is. Zones stay at the MME unless a DSR withdraws them: with the feature as zones, without it as the
// restriction that stands for them.
func withdrawn(before, now sim, features uint32) (flags s6a.DSRFlags, contexts []uint32, more bool) {
	if before.EPS == nil || now.EPS == nil {
		more = !reflect.DeepEqual(before, now)
	} else {
		contexts, more = withdrawnAPNs(before, now)
	}

	if len(contexts) > 0 {
		flags |= s6a.PDNContextsWithdrawn
	}

	if before.EPS == nil || len(before.EPS.Zones) == 0 || now.EPS != nil && len(now.EPS.Zones) > 0 {
		return flags, contexts, more
	}

	if features&s6a.FeatureRegionalSubscription != 0 {
		return flags | s6a.ZonesWithdrawn, contexts, more
	}

	return flags | s6a.RoamingRestrictionWithdrawn, contexts, more
}

// withdrawnAPNs returns the contexts of the APNs that have gone, unless something else has changed, too.
func withdrawnAPNs(before, now sim) (contexts []uint32, more bool) {
	old, left := plain(before.EPS), plain(now.EPS)
	if len(left.Zones) == 0 {
		old.Zones = left.Zones // a DSR withdraws them
	}

	old.APNs = slices.DeleteFunc(old.APNs, func(a subscriber.APN) bool {
		gone := !slices.ContainsFunc(left.APNs, func(other subscriber.APN) bool { return other.Context == a.Context })
		if gone {
			contexts = append(contexts, a.Context)
		}

		return gone
	})

	if before.MSISDN != now.MSISDN || !reflect.DeepEqual(old, left) {
		return nil, true
	}

	return contexts, false
}

// plain returns a copy with nothing left to be inferred, so that two can be compared.
func plain(e *subscriber.EPS) subscriber.EPS {
	c := *e
	c.APNs = slices.Clone(e.APNs)

	for i := range c.APNs {
		c.APNs[i].Context = e.ContextOf(i)
	}

	if len(c.APNs) > 0 {
		c.DefaultAPN = strings.ToLower(c.APNs[e.Default()].Name)
	}

	slices.SortFunc(c.APNs, func(a, b subscriber.APN) int { return int(a.Context) - int(b.Context) })

	return c
}
