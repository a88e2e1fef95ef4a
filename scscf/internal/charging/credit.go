package charging

import (
	"math"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// credit is the data of a session beside its State; both outlive the process. Its methods decide and have no other effects.
type credit struct {
	Key      string          `json:"key"` // first Diameter Session-Id
	ID       string          `json:"id"`  // Diameter Session-Id
	Call     Call            `json:"call"`
	Number   uint32          `json:"number"` // of the last CCR
	Answered time.Time       `json:"answered,omitzero"`
	Reported uint32          `json:"reported"` // seconds that the OCS has taken, or that no session of it covers
	Quota    time.Duration   `json:"quota"`    // granted, counted from the last report
	Margin   time.Duration   `json:"margin"`
	Validity time.Duration   `json:"validity,omitempty"` // of the quota (RFC 8506 §8.33)
	Final    bool            `json:"final,omitempty"`    // the OCS said that this quota is the last
	Update   *report         `json:"update,omitempty"`   // sent, and not known to have arrived: it is sent again unchanged
	Last     *report         `json:"last,omitempty"`     // set when the session is over
	Away     time.Time       `json:"away,omitzero"`      // since when the call has gone on without the OCS
	Handling FailureHandling `json:"handling,omitempty"` // the OCS's failure handling for the session
	Exact    bool            `json:"exact,omitempty"`    // the margin is the OCS's threshold (TS 32.299 §7.1.16)
	Granted  time.Time       `json:"granted,omitzero"`   // when the quota came, from which its validity counts
	Server   server          `json:"server,omitzero"`    // the OCS that has the session
}

// report is the content of a CCR other than the first one. Sent twice with its number it counts once: a duplicate is recognised by
// Session-Id and CC-Request-Number (RFC 8506 §8.2), and the T flag says that it may be one (RFC 6733 §3).
type report struct {
	Number uint32    `json:"number"`
	Used   uint32    `json:"used"`        // seconds
	At     time.Time `json:"at,omitzero"` // end of the time that they cover
	Cause  Cause     `json:"cause,omitzero"`
	Sent   bool      `json:"sent,omitempty"` // it may have arrived
}

// used returns the whole seconds since the last report that was taken. A clock that goes backwards does not make it negative.
func (c *credit) used(now time.Time, round func(float64) float64) uint32 {
	if c.Answered.IsZero() {
		return 0
	}

	total := max(0, round(now.Sub(c.Answered).Seconds()))
	if total <= float64(c.Reported) {
		return 0
	}

	return uint32(min(total, math.MaxUint32)) - c.Reported
}

// makeReport makes the next CCR Update.
func (c *credit) makeReport(now time.Time) {
	c.Number++
	c.Update = &report{Number: c.Number, Used: c.used(now, math.Floor), At: now}
}

// countReport counts the owed update as taken.
func (c *credit) countReport() {
	if c.Update != nil {
		c.Reported += c.Update.Used
		c.Update = nil
	}
}

// makeLastReport makes the CCR Terminate, with the seconds that are neither taken nor in the owed update.
func (c *credit) makeLastReport(now time.Time, cause Cause) {
	used := c.used(now, math.Ceil)
	if c.Update != nil {
		used -= min(used, c.Update.Used)
	}

	if granted := uint32(c.Quota / time.Second); c.Away.IsZero() && c.Final && used > granted { // rounding must not pass the last quota
		used = granted
	}

	c.Number++
	c.Last = &report{Number: c.Number, Used: used, At: now, Cause: cause}
}

// skip makes the seconds used so far free: the OCS wanted no credit control for them.
func (c *credit) skip(now time.Time) { c.Reported += c.used(now, math.Ceil) }

// beginAnew makes the session another one for the OCS. The new session does not cover the seconds before, which are returned.
func (c *credit) beginAnew(id string, now time.Time) (lost uint32) {
	lost = c.used(now, math.Floor)
	c.Reported += lost
	c.ID, c.Number, c.Update, c.Server, c.Quota, c.Final = id, 0, nil, server{}, 0, false

	return lost
}

// take takes the quota of an answer, and its failure handling (RFC 8506 §8.14), which overrides the configuration.
func (c *credit) take(a *ro.CCA, margin time.Duration, now time.Time) {
	if wanted := a.CreditControlFailureHandling; wanted != nil {
		switch *wanted {
		case ro.FailureTerminate:
			c.Handling = Terminate
		case ro.FailureContinue:
			c.Handling = Continue
		case ro.FailureRetryAndTerminate:
			c.Handling = RetryAndTerminate
		}
	}

	c.Server, c.Granted, c.Exact, c.Away = serverOf(a), now, false, time.Time{}
	c.Quota, c.Validity, c.Margin = time.Duration(grantedSeconds(a))*time.Second, 0, margin
	c.Final = a.FinalUnitIndication != nil

	if a.ValidityTime != nil {
		c.Validity = time.Duration(*a.ValidityTime) * time.Second
	}

	for _, service := range a.MultipleServicesCreditControl {
		if service.TimeQuotaThreshold != nil {
			c.Margin, c.Exact = time.Duration(*service.TimeQuotaThreshold)*time.Second, true
		}

		if service.ValidityTime != nil {
			c.Validity = time.Duration(*service.ValidityTime) * time.Second
		}

		c.Final = c.Final || service.FinalUnitIndication != nil
	}
}

func grantedSeconds(a *ro.CCA) (seconds uint32) {
	if a.GrantedServiceUnit != nil && a.GrantedServiceUnit.Time != nil {
		seconds = *a.GrantedServiceUnit.Time
	}

	for _, service := range a.MultipleServicesCreditControl {
		if service.Granted != nil && service.Granted.Time != nil {
			seconds = *service.Granted.Time
		}
	}

	return seconds
}

// leastQuota is how much of a quota is used before more is requested, however large the OCS's threshold.
const leastQuota = time.Second

// ends returns when more units must be requested, or when the last ones end; never is true while nothing is counted and the quota stays
// valid.
func (c *credit) ends(now time.Time) (signal Signal, at time.Time, never bool) {
	valid := c.Granted.Add(c.Validity)

	if c.Answered.IsZero() {
		return QuotaElapsed, valid, c.Validity == 0
	}

	begun := c.Answered.Add(time.Duration(c.Reported) * time.Second)
	signal, at = QuotaElapsed, begun.Add(c.Quota)

	switch {
	case c.Final && !now.Before(at):
		return FinalQuotaElapsed, at, false
	case c.Final:
		signal = FinalQuotaElapsed
	case c.Exact:
		at = begun.Add(max(c.Quota-c.Margin, min(leastQuota, c.Quota)))
	default:
		at = at.Add(-min(c.Margin, c.Quota/2)) // a small quota is renewed half way
	}

	if c.Validity > 0 && valid.Before(at) { // also for the last units
		signal, at = QuotaElapsed, valid
	}

	return signal, at, false
}

// event returns the SIP request that caused a report. An update has none: it is caused by the quota.
func (c *credit) event(kind ro.RequestType, r report) *ro.EventType {
	const cancelled = 487

	switch {
	case kind != ro.Terminate:
		return nil
	case !c.Answered.IsZero():
		return &ro.EventType{SIPMethod: "BYE"}
	case r.Cause.Code == cancelled:
		return &ro.EventType{SIPMethod: "CANCEL"}
	default:
		return c.Call.event()
	}
}
