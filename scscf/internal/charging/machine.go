package charging

import "github.com/dialtone-ims/dialtone/pkg/fsm"

const (
	sessionTable  = "RFC 8506 §7"        // CLIENT, SESSION-BASED
	failure       = "RFC 8506 §5.7"      // failure procedures, CCFH
	duplicates    = "RFC 8506 §8.2"      // a report that is sent again has its number
	reauthorise   = "RFC 8506 §5.5"      // server-initiated re-authorization
	abort         = "RFC 6733 §8.5"      // ASR
	notApplicable = "RFC 8506 §9.1"      // 4011
	answered      = "TS 32.260 §5.3.2.1" // counting begins with the answer
	onlyFirst     = "the first end counts"
	notCounted    = "the call has ended"
	underWay      = "its request is on its way"
	atRest        = "no request was on its way"
	settledBefore = "it is settled"
)

// Machine is the client's side of a charging session (RFC 8506 §7). It differs from the RFC's table where a failure would lose seconds:
// with CONTINUE the session stays, an unanswered report is sent again, and an unanswered last report is owed.
var Machine = fsm.New(
	fsm.On(sessionTable, Idle, ServiceRequested, PendingI, SendInitial),
	fsm.Ignore[Action](Idle, ServiceAnswered, settledBefore),
	fsm.Ignore[Action](Idle, ServiceTerminated, settledBefore),
	fsm.Ignore[Action](Idle, ReauthRequested, settledBefore),
	fsm.Ignore[Action](Idle, AbortRequested, settledBefore),
	fsm.Ignore[Action](Idle, Resumed, settledBefore),

	fsm.On(sessionTable, PendingI, Granted, Open, TakeQuota, PlanUpdate),
	fsm.On(sessionTable, PendingI, NoUnits, Idle, RefuseService),
	fsm.On[State, Signal, Action](notApplicable, PendingI, NotApplicable, Waived),
	fsm.On(notApplicable, PendingI, ServiceNotApplicable, WaivedService, TakeServer),
	fsm.On(sessionTable, PendingI, AnswerFailed, Idle, RefuseService),
	fsm.On(failure, PendingI, UnansweredContinue, Unopened, PlanResume),
	fsm.On(failure, PendingI, Unanswered, OwedT, RefuseService, MakeLastReport, PlanRepeat),
	fsm.On(failure, PendingI, Undelivered, Idle, RefuseService),

	fsm.On(answered, Open, ServiceAnswered, Open, CountFromNow, PlanUpdate),
	fsm.On(sessionTable, Open, QuotaElapsed, PendingU, MakeReport, SendReport),
	fsm.On(sessionTable, Open, FinalQuotaElapsed, Exhausted, ReleaseService),
	fsm.On(reauthorise, Open, ReauthRequested, PendingU, Comply, MakeReport, SendReport),
	fsm.On(abort, Open, AbortRequested, Open, Comply, ReleaseService),
	fsm.On(sessionTable, Open, ServiceTerminated, PendingT, MakeLastReport, SendLastReport),
	fsm.Ignore[Action](Open, Restarted, atRest),
	fsm.On(sessionTable, Open, Resumed, Open, PlanUpdate),

	fsm.On(sessionTable, PendingU, Granted, Open, CountReport, TakeQuota, PlanUpdate),
	fsm.On(sessionTable, PendingU, NoUnits, Exhausted, CountReport, TakeQuota, ReleaseService),
	fsm.On[State, Signal, Action](notApplicable, PendingU, NotApplicable, Waived),
	fsm.On(notApplicable, PendingU, ServiceNotApplicable, WaivedService, TakeServer),
	fsm.On(sessionTable, PendingU, AnswerFailed, Exhausted, CountReport, ReleaseService),
	fsm.On(failure, PendingU, SessionUnknown, Reopening, BeginAnew, SendInitial),
	fsm.On(failure, PendingU, UnansweredContinue, Uncharged, PlanResume),
	fsm.On(failure, PendingU, Unanswered, Unreported, ReleaseService),
	fsm.On(failure, PendingU, Undelivered, Unreported, ReleaseService),
	fsm.On(answered, PendingU, ServiceAnswered, PendingU, CountFromNow),
	fsm.On(sessionTable, PendingU, ReauthRequested, PendingU, Comply),
	fsm.On(abort, PendingU, AbortRequested, PendingU, Comply, ReleaseService),
	fsm.On(sessionTable, PendingU, ServiceTerminated, ClosingU, MakeLastReport),
	fsm.On[State, Signal, Action](duplicates, PendingU, Restarted, Unreported),
	fsm.Ignore[Action](PendingU, Resumed, underWay),

	fsm.On(sessionTable, ClosingU, ReportTaken, PendingT, SendLastReport),
	fsm.On(duplicates, ClosingU, ReportUnanswered, PendingO, SendReport),
	fsm.On(duplicates, ClosingU, ReportLapsed, PendingO, SendReport),
	fsm.Ignore[Action](ClosingU, ServiceAnswered, notCounted),
	fsm.Ignore[Action](ClosingU, ServiceTerminated, onlyFirst),
	fsm.On(reauthorise, ClosingU, ReauthRequested, ClosingU, Comply),
	fsm.On(abort, ClosingU, AbortRequested, ClosingU, Comply),
	fsm.On[State, Signal, Action](duplicates, ClosingU, Restarted, OwedU),
	fsm.Ignore[Action](ClosingU, Resumed, underWay),

	fsm.On(answered, Exhausted, ServiceAnswered, Exhausted, CountFromNow),
	fsm.On(reauthorise, Exhausted, ReauthRequested, PendingU, Comply, MakeReport, SendReport),
	fsm.On(abort, Exhausted, AbortRequested, Exhausted, Comply),
	fsm.On(sessionTable, Exhausted, ServiceTerminated, PendingT, MakeLastReport, SendLastReport),
	fsm.Ignore[Action](Exhausted, Restarted, atRest),
	fsm.On(sessionTable, Exhausted, Resumed, PendingU, MakeReport, SendReport),

	fsm.On(answered, Unreported, ServiceAnswered, Unreported, CountFromNow),
	fsm.On(reauthorise, Unreported, ReauthRequested, PendingU, Comply, SendReport),
	fsm.On(abort, Unreported, AbortRequested, Unreported, Comply, ReleaseService),
	fsm.On(duplicates, Unreported, ServiceTerminated, PendingO, MakeLastReport, SendReport),
	fsm.Ignore[Action](Unreported, Restarted, atRest),
	fsm.On(duplicates, Unreported, Resumed, PendingU, SendReport),

	fsm.On(answered, Uncharged, ServiceAnswered, Uncharged, CountFromNow),
	fsm.On(failure, Uncharged, ResumeElapsed, PendingU, SendReport),
	fsm.On(reauthorise, Uncharged, ReauthRequested, PendingU, Comply, SendReport),
	fsm.On(abort, Uncharged, AbortRequested, Uncharged, Comply, ReleaseService),
	fsm.On(duplicates, Uncharged, ServiceTerminated, PendingO, MakeLastReport, SendReport),
	fsm.Ignore[Action](Uncharged, Restarted, atRest),
	fsm.On(failure, Uncharged, Resumed, Uncharged, PlanResume),

	fsm.On(answered, Unopened, ServiceAnswered, Unopened, CountFromNow),
	fsm.On(failure, Unopened, ResumeElapsed, Reopening, BeginAnew, SendInitial),
	fsm.On(reauthorise, Unopened, ReauthRequested, Reopening, Comply, BeginAnew, SendInitial),
	fsm.On(abort, Unopened, AbortRequested, Unopened, Comply, ReleaseService),
	fsm.On(sessionTable, Unopened, ServiceTerminated, PendingT, MakeLastReport, SendLastReport),
	fsm.Ignore[Action](Unopened, Restarted, atRest),
	fsm.On(failure, Unopened, Resumed, Unopened, PlanResume),

	fsm.On(sessionTable, Reopening, Granted, Open, TakeQuota, PlanUpdate),
	fsm.On(sessionTable, Reopening, NoUnits, Exhausted, TakeQuota, ReleaseService),
	fsm.On[State, Signal, Action](notApplicable, Reopening, NotApplicable, Waived),
	fsm.On(notApplicable, Reopening, ServiceNotApplicable, WaivedService, TakeServer),
	fsm.On(sessionTable, Reopening, AnswerFailed, Unopened, ReleaseService),
	fsm.On(failure, Reopening, UnansweredContinue, Unopened, PlanResume),
	fsm.On(failure, Reopening, Unanswered, Unopened, ReleaseService),
	fsm.On(failure, Reopening, Undelivered, Unopened, ReleaseService),
	fsm.On(answered, Reopening, ServiceAnswered, Reopening, CountFromNow),
	fsm.On(sessionTable, Reopening, ReauthRequested, Reopening, Comply),
	fsm.On(abort, Reopening, AbortRequested, Reopening, Comply, ReleaseService),
	fsm.On(sessionTable, Reopening, ServiceTerminated, ClosingI, MakeLastReport),
	fsm.On[State, Signal, Action](failure, Reopening, Restarted, Unopened),
	fsm.Ignore[Action](Reopening, Resumed, underWay),

	fsm.On(sessionTable, ClosingI, ReportTaken, PendingT, SendLastReport),
	fsm.On(failure, ClosingI, ReportUnanswered, PendingT, SendLastReport),
	fsm.On(failure, ClosingI, ReportLapsed, PendingT, SendLastReport),
	fsm.Ignore[Action](ClosingI, ServiceAnswered, notCounted),
	fsm.Ignore[Action](ClosingI, ServiceTerminated, onlyFirst),
	fsm.On(reauthorise, ClosingI, ReauthRequested, ClosingI, Comply),
	fsm.On(abort, ClosingI, AbortRequested, ClosingI, Comply),
	fsm.On[State, Signal, Action](failure, ClosingI, Restarted, OwedT),
	fsm.Ignore[Action](ClosingI, Resumed, underWay),

	fsm.Ignore[Action](Waived, ServiceAnswered, "nothing is counted"),
	fsm.Ignore[Action](Waived, ReauthRequested, "the OCS has let the session go"),
	fsm.On(abort, Waived, AbortRequested, Waived, Comply, ReleaseService),
	fsm.On[State, Signal, Action](notApplicable, Waived, ServiceTerminated, Idle),
	fsm.Ignore[Action](Waived, Restarted, atRest),
	fsm.Ignore[Action](Waived, Resumed, "nothing is asked for"),

	fsm.On(answered, WaivedService, ServiceAnswered, WaivedService, CountFromNow),
	fsm.On(reauthorise, WaivedService, ReauthRequested, PendingU, Comply, SkipSeconds, MakeReport, SendReport),
	fsm.On(abort, WaivedService, AbortRequested, WaivedService, Comply, ReleaseService),
	fsm.On(notApplicable, WaivedService, ServiceTerminated, PendingT, SkipSeconds, MakeLastReport, SendLastReport),
	fsm.Ignore[Action](WaivedService, Restarted, atRest),
	fsm.Ignore[Action](WaivedService, Resumed, "nothing is asked for"),

	fsm.On(duplicates, PendingO, ReportTaken, PendingT, SendLastReport),
	fsm.On(duplicates, PendingO, ReportUnanswered, OwedU, PlanRepeat),
	fsm.On(duplicates, PendingO, ReportLapsed, Idle, GiveUpReport),
	fsm.Ignore[Action](PendingO, ServiceAnswered, notCounted),
	fsm.Ignore[Action](PendingO, ServiceTerminated, onlyFirst),
	fsm.On(reauthorise, PendingO, ReauthRequested, PendingO, Comply),
	fsm.On(abort, PendingO, AbortRequested, PendingO, Comply),
	fsm.On[State, Signal, Action](duplicates, PendingO, Restarted, OwedU),
	fsm.Ignore[Action](PendingO, Resumed, underWay),

	fsm.On[State, Signal, Action](sessionTable, PendingT, ReportTaken, Idle),
	fsm.On(duplicates, PendingT, ReportUnanswered, OwedT, PlanRepeat),
	fsm.On(sessionTable, PendingT, ReportLapsed, Idle, GiveUpReport),
	fsm.Ignore[Action](PendingT, ServiceAnswered, notCounted),
	fsm.Ignore[Action](PendingT, ServiceTerminated, onlyFirst),
	fsm.On(reauthorise, PendingT, ReauthRequested, PendingT, Comply),
	fsm.On(abort, PendingT, AbortRequested, PendingT, Comply),
	fsm.On[State, Signal, Action](duplicates, PendingT, Restarted, OwedT),
	fsm.Ignore[Action](PendingT, Resumed, underWay),

	fsm.On(duplicates, OwedU, RepeatElapsed, PendingO, SendReport),
	fsm.Ignore[Action](OwedU, ServiceAnswered, notCounted),
	fsm.Ignore[Action](OwedU, ServiceTerminated, onlyFirst),
	fsm.On(reauthorise, OwedU, ReauthRequested, OwedU, Comply),
	fsm.On(abort, OwedU, AbortRequested, OwedU, Comply),
	fsm.Ignore[Action](OwedU, Restarted, atRest),
	fsm.On(duplicates, OwedU, Resumed, PendingO, AllowRepeats, SendReport),

	fsm.On(duplicates, OwedT, RepeatElapsed, PendingT, SendLastReport),
	fsm.Ignore[Action](OwedT, ServiceAnswered, notCounted),
	fsm.Ignore[Action](OwedT, ServiceTerminated, onlyFirst),
	fsm.On(reauthorise, OwedT, ReauthRequested, OwedT, Comply),
	fsm.On(abort, OwedT, AbortRequested, OwedT, Comply),
	fsm.Ignore[Action](OwedT, Restarted, atRest),
	fsm.On(duplicates, OwedT, Resumed, PendingT, AllowRepeats, SendLastReport),
)
