package results

// Figure is one of the figures of a run.
type Figure struct{ Name, Unit, Text string }

// Figures that others count with.
const (
	Sessions = "sessions"
	requests = "requests"
)

// Figures lists the figures of a run in the order of tables.
var Figures = []Figure{
	{Sessions, "", "calls, data sessions and messages begun"},
	{"completed", "", "as long as wanted"},
	{"unanswered", "", "calls that nobody answered"},
	{"refused_share", "%", "refused by the OCS"},
	{"cut_share", "%", "cut off at the end of the credit"},
	{"failed_share", "%", "refused or cut off because the OCS did not answer"},
	{"vanished_share", "%", "left by their network function"},
	{"served_share", "%", "of the seconds of calls that were wanted"},
	{requests, "", "CCRs sent, repeated ones included"},
	{"requests_per_session", "", "CCRs for each of them"},
	{"requests_per_second", "1/s", "CCRs over the whole time"},
	{"repeats", "", "CCRs sent again"},
	{"divided", "", "CCRs that tell use before a change of price from that after it"},
	{"idle_units", "s or octets", "granted and not used, mean over the time of open sessions"},
	{"reserved_mean", "minor units", "reserved in the ledger, mean over time"},
	{"reserved_most", "minor units", "the most that was reserved"},
	{"used_seconds", "s", "talked"},
	{"used_octets", "octets", "transferred"},
	{"used_messages", "", "sent"},
	{"stalled_seconds", "s", "in which data waited for a grant"},
	{"overshoot_seconds", "s", "talked beyond the grant"},
	{"overshoot_share", "%", "of what was talked"},
	{"overshoot_octets", "octets", "transferred beyond the grant"},
	{"value", "minor units", "price of all that was used"},
	{"revenue", "minor units", "debited by the OCS"},
	{"leakage", "minor units", "used and not debited"},
	{"leakage_share", "%", "of the price of all that was used"},
	{"uncollected", "minor units", "reported, and not paid for want of credit"},
	{"topped_up", "minor units", "paid in after the beginning"},
	{"latency_mean_ms", "ms", "from a CCR to its answer, mean"},
	{"latency_p50_ms", "ms", "median"},
	{"latency_p95_ms", "ms", "95 of 100 are faster"},
	{"latency_p99_ms", "ms", "99 of 100 are faster"},
}
