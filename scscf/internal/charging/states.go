package charging

// State is the state of a charging session or a charged event. The names are those of RFC 8506 §7, with some more for this client: a
// report that the OCS has not taken is owed, and sent again, also after a restart.
type State uint8

// States of a session.
const (
	Idle          State = iota // not begun, or settled: nothing is owed
	PendingI                   // CCR Initial sent: the call waits for its answer
	Open                       // units are granted
	PendingU                   // CCR Update sent
	ClosingU                   // CCR Update sent, and the call has ended
	Exhausted                  // no units are left: the call is being released
	Unreported                 // a CCR Update was not answered: the call is being released, or the process was killed
	Uncharged                  // a CCR Update was not answered, and the call goes on (CONTINUE)
	Unopened                   // the OCS has no session, and the call goes on (CONTINUE)
	Reopening                  // CCR Initial for the rest of the call sent
	ClosingI                   // CCR Initial for the rest of the call sent, and the call has ended
	Waived                     // 4011: the OCS has let the session go
	WaivedService              // 4011 for the service alone: the OCS keeps the session
	PendingO                   // the call has ended: the owed CCR Update sent again, CCR Terminate follows it
	PendingT                   // CCR Terminate sent
	OwedU                      // an update and the last report are owed: sent again later
	OwedT                      // the last report is owed: sent again later
)

// States of a charged event, besides Idle, PendingI and PendingT.
const (
	PendingE State = iota + OwedT + 1 // CCR Event sent: debit
	Debited                           // paid; the outcome of the request is awaited
	Held                              // a unit is reserved; the outcome of the request is awaited
	HeldFree                          // the same, and the OCS wants no charge for it (4011)
	PendingR                          // CCR Event sent: refund
	Buffered                          // a refund or report is owed: sent again later
	PendingB                          // it is being sent again
)

var stateNames = [...]string{
	Idle: "Idle", PendingI: "PendingI", Open: "Open", PendingU: "PendingU", ClosingU: "ClosingU", Exhausted: "Exhausted",
	Unreported: "Unreported", Uncharged: "Uncharged", Unopened: "Unopened", Reopening: "Reopening", ClosingI: "ClosingI",
	Waived: "Waived", WaivedService: "WaivedService", PendingO: "PendingO", PendingT: "PendingT", OwedU: "OwedU", OwedT: "OwedT",
	PendingE: "PendingE", Debited: "Debited", Held: "Held", HeldFree: "HeldFree", PendingR: "PendingR",
	Buffered: "Buffered", PendingB: "PendingB",
}

func (s State) String() string { return nameOf(stateNames[:], int(s)) }

// Signal is something that happens to a session or event.
type Signal uint8

// Signals: the call, the answers of the OCS, its orders, the timers, and the process.
const (
	ServiceRequested     Signal = iota
	ServiceAnswered             // 200 to the INVITE: seconds count from now on
	ServiceTerminated           // the call has ended
	Granted                     // answer with units
	NoUnits                     // answer without units
	NotApplicable               // 4011
	ServiceNotApplicable        // 4011 for the service, within a session that the OCS keeps
	AnswerFailed                // the OCS refuses
	SessionUnknown              // 5002 to an update, and the call goes on (CONTINUE)
	UnansweredContinue          // no answer or a temporary error, and the service goes on (CONTINUE)
	Unanswered                  // no answer or a temporary error, and the service ends
	Undelivered                 // the same, and nobody has worked on the request (3xxx)
	ReportTaken                 // the OCS has answered the report of a session or event that has ended
	ReportUnanswered            // the OCS has not, and the report may be sent again
	ReportLapsed                // the OCS has not, and the time for repeating is over
	QuotaElapsed                // timer: units or their validity end, and more can be had
	FinalQuotaElapsed           // timer: the last units end
	ResumeElapsed               // timer: look for the OCS again
	RepeatElapsed               // timer: send an owed report again
	ReauthRequested             // RAR
	AbortRequested              // ASR
	Restarted                   // the session was kept over a restart
	Resumed                     // the OCS can be reached after a restart
	DebitRequested              // a request is charged by itself: debited at once
	ReserveRequested            // a request is charged by itself: reserved first
	Delivered                   // 2xx to the request that is charged as an event
	NotDelivered                // another final response to it
)

var signalNames = [...]string{
	ServiceRequested: "ServiceRequested", ServiceAnswered: "ServiceAnswered", ServiceTerminated: "ServiceTerminated",
	Granted: "Granted", NoUnits: "NoUnits", NotApplicable: "NotApplicable", ServiceNotApplicable: "ServiceNotApplicable",
	AnswerFailed: "AnswerFailed", SessionUnknown: "SessionUnknown", UnansweredContinue: "UnansweredContinue",
	Unanswered: "Unanswered", Undelivered: "Undelivered", ReportTaken: "ReportTaken", ReportUnanswered: "ReportUnanswered",
	ReportLapsed: "ReportLapsed", QuotaElapsed: "QuotaElapsed", FinalQuotaElapsed: "FinalQuotaElapsed",
	ResumeElapsed: "ResumeElapsed", RepeatElapsed: "RepeatElapsed", ReauthRequested: "ReauthRequested",
	AbortRequested: "AbortRequested", Restarted: "Restarted", Resumed: "Resumed",
	DebitRequested: "DebitRequested", ReserveRequested: "ReserveRequested", Delivered: "Delivered", NotDelivered: "NotDelivered",
}

func (s Signal) String() string { return nameOf(signalNames[:], int(s)) }

// Action is one action of a row.
type Action uint8

// Actions.
const (
	SendInitial    Action = iota // CCR Initial
	BeginAnew                    // a new Session-Id; seconds that no session of the OCS covers are given up
	MakeReport                   // the seconds used, as the next CCR Update reports them
	SendReport                   // CCR Update, with its number again if it was sent before
	CountReport                  // its seconds count as taken
	MakeLastReport               // the seconds used, rounded up, as CCR Terminate reports them; the time for repeating it begins
	SendLastReport               // CCR Terminate
	AllowRepeats                 // the time for repeating the reports begins anew
	TakeQuota                    // the units of the answer, and the OCS that gave them
	TakeServer                   // the OCS that has the session
	SkipSeconds                  // the seconds used so far are free
	CountFromNow                 // seconds count from now on
	PlanUpdate                   // timer to the end of the units, less the margin
	PlanResume                   // timer of charging.resume
	PlanRepeat                   // timer of 30 s
	RefuseService                // the request is refused
	ReleaseService               // the call is released on both sides
	Comply                       // RAA or ASA with success; without it the OCS hears 5002
	GiveUpReport                 // a last report is lost: logged
	SendDebit                    // CCR Event DIRECT_DEBITING
	SendReserve                  // CCR Initial for one unit
	MakeRefund                   // CCR Event REFUND_ACCOUNT is owed
	MakeUsed                     // CCR Terminate with the unit used is owed
	MakeUnused                   // CCR Terminate with nothing used is owed
	SendOwed                     // what is owed
)

var actionNames = [...]string{
	SendInitial: "SendInitial", BeginAnew: "BeginAnew", MakeReport: "MakeReport", SendReport: "SendReport", CountReport: "CountReport",
	MakeLastReport: "MakeLastReport", SendLastReport: "SendLastReport", AllowRepeats: "AllowRepeats", TakeQuota: "TakeQuota",
	TakeServer: "TakeServer", SkipSeconds: "SkipSeconds", CountFromNow: "CountFromNow", PlanUpdate: "PlanUpdate",
	PlanResume: "PlanResume", PlanRepeat: "PlanRepeat", RefuseService: "RefuseService", ReleaseService: "ReleaseService",
	Comply: "Comply", GiveUpReport: "GiveUpReport", SendDebit: "SendDebit", SendReserve: "SendReserve", MakeRefund: "MakeRefund",
	MakeUsed: "MakeUsed", MakeUnused: "MakeUnused", SendOwed: "SendOwed",
}

func (a Action) String() string { return nameOf(actionNames[:], int(a)) }

func nameOf(names []string, at int) string {
	if at < len(names) {
		return names[at]
	}

	return "unknown"
}
