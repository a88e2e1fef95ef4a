package credit

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// meters makes the services of the session ready for pricing, under the version of the plan that it began with.
func (s *Server) meters(w *exchange) error {
	if w.plan == nil {
		plan, err := s.tariffs.version(w.tx.DB, w.session.Tariff, w.session.TariffVersion)
		if err != nil {
			return err
		}

		w.plan = plan
	}

	for _, quota := range w.session.Services {
		if quota.meter != nil {
			continue
		}

		if len(quota.Parts) == 0 && quota.Used > 0 { // of an OCS that did not keep them
			quota.Service = s.serviceOfSession(w.session, quota)
			quota.Parts = []rating.Part{{At: w.answered(), Units: quota.Used}}
		}

		quota.meter = w.plan.Meter(quota.Service, quota.Unit)
	}

	return nil
}

// answered returns when use began, or could begin now.
func (w *exchange) answered() time.Time {
	if w.session.Answered != nil {
		return *w.session.Answered
	}

	return w.at
}

// meter finds the price of a service: in the first of the units that the plan prices. Without a price there is no service: a failed rating
// is not free (RFC 8506 §9.2).
func (s *Server) meter(
	plan *rating.Plan,
	units []rating.Unit,
	service rating.Service,
	at time.Time,
	called string,
) (*rating.Meter, *refusal) {
	var first error

	for _, unit := range units {
		meter := plan.Meter(service, unit)

		_, err := meter.Rate(at)
		if err == nil {
			return meter, nil
		}

		if first == nil {
			first = err
		}
	}

	failed := &FailedAVP{RequestedServiceUnit: s.granted(units[0], 0)}
	if errors.Is(first, rating.ErrNoRate) {
		failed = &FailedAVP{CalledPartyAddress: called}
	}

	return nil, &refusal{ro.RatingFailed, first.Error(), failed}
}

// service returns what a request tells of a service.
func (s *Server) service(q *ro.CCR, mscc *mscc) rating.Service {
	info := information(q)
	service := rating.Service{
		Number:      s.config.Numbering.Normalise(info.CalledPartyAddress),
		Calling:     s.config.Numbering.Normalise(first(info.CallingPartyAddresses)),
		Terminating: terminating(info),
		RatingGroup: mscc.group,
		Identifiers: mscc.identifiers,
		Context:     q.ServiceContextID,
		Visited:     info.VisitedNetwork,
		Access:      access(info.AccessNetworkInformation),
	}

	method := ""
	if info.EventType != nil {
		method = info.EventType.SIPMethod
	}

	service.Message = message(q.ServiceContextID, method)

	return service
}

// serviceOf returns the same of a session: the parties are those of its beginning.
func (s *Server) serviceOf(w *exchange, mscc *mscc) rating.Service {
	service := s.service(w.q, mscc)
	service.Number = s.config.Numbering.Normalise(w.session.Called)
	service.Calling = s.config.Numbering.Normalise(w.session.Calling)
	service.Terminating = w.session.Terminating
	service.Context = w.session.ServiceContext
	service.Message = message(w.session.ServiceContext, w.session.Method)

	return service
}

// serviceOfSession returns what a session alone tells.
func (s *Server) serviceOfSession(session *Session, q *Quota) rating.Service {
	return rating.Service{
		Number:      s.config.Numbering.Normalise(session.Called),
		Calling:     s.config.Numbering.Normalise(session.Calling),
		Terminating: session.Terminating,
		RatingGroup: q.RatingGroup,
		Identifiers: q.Identifiers,
		Context:     session.ServiceContext,
		Message:     message(session.ServiceContext, session.Method),
	}
}

// access returns the radio access in Access-Network-Information, which has the value of a P-Access-Network-Info (TS 24.229 §7.2A.4, TS
// 32.299 §7.2.1); "" if it tells none. What the network has provided counts before what a handset states.
func access(information [][]byte) string {
	const provided = "NETWORK-PROVIDED"

	var texts []string
	for _, value := range information {
		texts = append(texts, strings.ToUpper(string(value)))
	}

	if at := slices.IndexFunc(texts, func(text string) bool { return strings.Contains(text, provided) }); at >= 0 {
		texts = texts[at:]
	}

	for _, text := range texts {
		switch {
		case strings.HasPrefix(text, "3GPP-E-UTRAN"):
			return "LTE"
		case strings.HasPrefix(text, "3GPP-NR"):
			return "NR"
		case strings.HasPrefix(text, "IEEE-802.11"), strings.HasPrefix(text, "3GPP-WLAN"):
			return "WLAN"
		}
	}

	return ""
}

// message returns what kind of message a service context or a SIP request is about, "" if it is no message.
func message(serviceContext, method string) string {
	const short, multimedia = "32274@3gpp.org", "32270@3gpp.org" // TS 32.274, TS 32.270

	switch {
	case strings.HasSuffix(serviceContext, multimedia):
		return "MMS"
	case strings.HasSuffix(serviceContext, short), method == "MESSAGE":
		return "SMS"
	default:
		return ""
	}
}

// use is what reports say of one quota: before and after the Tariff-Time-Change that came with it (RFC 8506 §8.27). What straddles it, or
// says nothing, counts as before.
type use struct{ before, after uint64 }

func (u use) sum() uint64 { return add(u.before, u.after) }

func (u use) plus(other use) use { return use{add(u.before, other.before), add(u.after, other.after)} }

// use returns how many of this unit are reported.
func (w *mscc) use(unit rating.Unit) (all use) {
	if unit == rating.Money {
		return use{before: w.spent}
	}

	const afterTariffChange = 1 // UNIT_AFTER_TARIFF_CHANGE

	for i := range w.reports {
		amount, _ := measure(&w.reports[i], unit)

		if usage := w.reports[i].TariffChangeUsage; usage != nil && *usage == afterTariffChange {
			all.after = add(all.after, amount)
		} else {
			all.before = add(all.before, amount)
		}
	}

	return all
}

// count adds reported use to its quota. Seconds run with the clock from the answer; other units have the price of the time when they were
// granted, or that of after the announced change.
func (w *exchange) count(quota *Quota, reported use) {
	if reported.before > 0 {
		quota.Parts = quota.meter.Add(quota.Parts, w.begun(quota), reported.before)
	}

	if reported.after == 0 {
		return
	}

	at := w.begun(quota)
	if quota.Change != nil {
		at = *quota.Change
	}

	quota.Parts = quota.meter.Add(quota.Parts, at, reported.after)
}

// begun returns when the reported use of a quota began.
func (w *exchange) begun(quota *Quota) time.Time {
	switch {
	case quota.Unit == rating.Seconds && len(quota.Parts) > 0:
		return quota.Parts[len(quota.Parts)-1].End()
	case quota.Unit == rating.Seconds || quota.Since.IsZero():
		return w.answered()
	default:
		return quota.Since
	}
}

// next returns when the next units of a quota begin to be used.
func (w *exchange) next(quota *Quota) time.Time {
	if quota.Unit == rating.Seconds && len(quota.Parts) > 0 {
		return quota.Parts[len(quota.Parts)-1].End()
	}

	return w.at
}

// after returns when granted units would be used up.
func (q *Quota) after() time.Time {
	if q.Unit != rating.Seconds {
		return q.Since
	}

	return q.Since.Add(time.Duration(min(q.Granted, 1<<32)) * time.Second)
}
