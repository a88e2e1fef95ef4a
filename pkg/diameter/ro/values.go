package ro

import "github.com/dialtone-ims/dialtone/pkg/diameter"

// VendorID is 3GPP's enterprise number, the vendor of TS 32.299's AVPs.
const VendorID = 10415

// ServiceContextIMS is the Service-Context-Id of IMS charging (TS 32.260 §5).
const ServiceContextIMS = "32260@3gpp.org"

// Results of RFC 8506 §9.
var (
	Success                    = diameter.Result{Code: 2001}
	LimitedSuccess             = diameter.Result{Code: 2002} // in a RAA: a CCR follows (RFC 8506 §5.5)
	EndUserServiceDenied       = diameter.Result{Code: 4010}
	CreditControlNotApplicable = diameter.Result{Code: 4011}
	CreditLimitReached         = diameter.Result{Code: 4012}
	UnknownSessionID           = diameter.Result{Code: 5002}
	AuthorizationRejected      = diameter.Result{Code: 5003}
	InvalidAVPValue            = diameter.Result{Code: 5004}
	MissingAVP                 = diameter.Result{Code: 5005}
	UnableToComply             = diameter.Result{Code: 5012}
	UserUnknown                = diameter.Result{Code: 5030}
	RatingFailed               = diameter.Result{Code: 5031}
)

// RequestType is CC-Request-Type (RFC 8506 §8.3).
type RequestType uint32

// Values of CC-Request-Type.
const (
	Initial RequestType = iota + 1
	Update
	Terminate
	Event
)

// RequestedAction is what an event request wants (RFC 8506 §8.41).
type RequestedAction uint32

// Values of Requested-Action.
const (
	DirectDebiting RequestedAction = iota
	RefundAccount
	CheckBalance
	PriceEnquiry
)

// SubscriptionIDType is the kind of identity that pays (RFC 8506 §8.47).
type SubscriptionIDType uint32

// Values of Subscription-Id-Type.
const (
	E164 SubscriptionIDType = iota
	IMSI
	SIPURI
	NAI
	Private
)

// ReAuthType is Re-Auth-Request-Type (RFC 6733 §8.12). Credit re-authorisation is AuthorizeOnly.
type ReAuthType uint32

// Values of Re-Auth-Request-Type.
const (
	AuthorizeOnly ReAuthType = iota
	AuthorizeAuthenticate
)

// FinalUnitAction is the action when the last units are used (RFC 8506 §8.35).
type FinalUnitAction uint32

// Values of Final-Unit-Action.
const (
	FinalTerminate FinalUnitAction = iota
	FinalRedirect
	FinalRestrictAccess
)

// FailureHandling is Credit-Control-Failure-Handling (RFC 8506 §8.14).
type FailureHandling uint32

// Values of Credit-Control-Failure-Handling.
const (
	FailureTerminate FailureHandling = iota
	FailureContinue
	FailureRetryAndTerminate
)

// ReportingReason says why usage is reported (TS 32.299 §7.2.175).
type ReportingReason uint32

// Values of Reporting-Reason.
const (
	ReasonThreshold ReportingReason = iota
	ReasonQHT
	ReasonFinal
	ReasonQuotaExhausted
	ReasonValidityTime
	ReasonOtherQuotaType
	ReasonRatingConditionChange
	ReasonForcedReauthorisation
	ReasonPoolExhausted
)

// RoleOfNode is the side a node charges for (TS 32.299 §7.2.183).
type RoleOfNode uint32

// Values of Role-Of-Node.
const (
	OriginatingRole RoleOfNode = iota
	TerminatingRole
	ForwardingRole
)

// NodeFunctionality is the kind of node (TS 32.299 §7.2.101).
type NodeFunctionality uint32

// Values of Node-Functionality.
const (
	NodeSCSCF NodeFunctionality = iota
	NodePCSCF
	NodeICSCF
	NodeMRFC
	NodeMGCF
	NodeBGCF
	NodeAS
)
