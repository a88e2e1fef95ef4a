package rx

import "github.com/dialtone-ims/dialtone/pkg/diameter"

// VendorID is 3GPP's enterprise number, the vendor of TS 29.214's AVPs.
const VendorID = 10415

// MediaType is what a media component carries (TS 29.214 §5.3.19).
type MediaType uint32

// Values of Media-Type.
const (
	Audio MediaType = iota
	Video
	Data
	ApplicationMedia
	Control
	Text
	Message
	Other MediaType = 0xFFFFFFFF
)

// FlowStatus says which way packets may pass (TS 29.214 §5.3.11).
type FlowStatus uint32

// Values of Flow-Status.
const (
	EnabledUplink FlowStatus = iota
	EnabledDownlink
	Enabled
	Disabled
	Removed
)

// FlowUsage is the purpose of the flows of a sub-component (TS 29.214 §5.3.12).
type FlowUsage uint32

// Values of Flow-Usage.
const (
	NoInformation FlowUsage = iota
	RTCP
	AFSignalling
)

// SignallingProtocol is AF-Signalling-Protocol (TS 29.214 §5.3.26).
type SignallingProtocol uint32

// Values of AF-Signalling-Protocol.
const (
	ProtocolUnknown SignallingProtocol = iota
	ProtocolSIP
)

// SpecificAction is an event that an AAR subscribes to, or a RAR reports (TS 29.214 §5.3.13). More come with each release.
type SpecificAction uint32

// Values of Specific-Action.
const (
	ChargingCorrelationExchange SpecificAction = 1
	LossOfBearer                SpecificAction = 2
	RecoveryOfBearer            SpecificAction = 3
	ReleaseOfBearer             SpecificAction = 4
	IPCANChange                 SpecificAction = 6
	OutOfCredit                 SpecificAction = 7
	SuccessfulAllocation        SpecificAction = 8
	FailedAllocation            SpecificAction = 9
	LimitedPCC                  SpecificAction = 10
	UsageReport                 SpecificAction = 11
	AccessNetworkInfoReport     SpecificAction = 12
	RecoveryFromLimitedPCC      SpecificAction = 13
	AccessNetworkInfoFailure    SpecificAction = 14
	TransferPolicyExpired       SpecificAction = 15
	PLMNChange                  SpecificAction = 16
	EPSFallback                 SpecificAction = 17
	ReallocationOfCredit        SpecificAction = 18
)

// AbortCause is why a session or a bearer is ended (TS 29.214 §5.3.1).
type AbortCause uint32

// Values of Abort-Cause.
const (
	BearerReleased AbortCause = iota
	InsufficientServerResources
	InsufficientBearerResources
	PSToCSHandover
	SponsoredConnectivityDisallowed
)

// ServiceInfoStatus says whether the session description is negotiated yet (TS 29.214 §5.3.25).
type ServiceInfoStatus uint32

// Values of Service-Info-Status.
const (
	FinalServiceInformation ServiceInfoStatus = iota
	PreliminaryServiceInformation
)

// SIPForking says whether one AAR is for several early dialogs (TS 29.214 §5.3.22).
type SIPForking uint32

// Values of SIP-Forking-Indication.
const (
	SingleDialogue SIPForking = iota
	SeveralDialogues
)

// RequestType is Rx-Request-Type (TS 29.214 §5.3.31).
type RequestType uint32

// Values of Rx-Request-Type.
const (
	Initial RequestType = iota
	Update
	PCSCFRestoration
)

// RequiredAccessInfo is the information about the access that the P-CSCF asks for (TS 29.214 §5.3.34).
type RequiredAccessInfo uint32

// Values of Required-Access-Info.
const (
	UserLocation RequiredAccessInfo = iota
	TimeZone
)

// TerminationCause is why the P-CSCF ends a session (RFC 6733 §8.15).
type TerminationCause uint32

// Values of Termination-Cause.
const (
	Logout             TerminationCause = 1
	ServiceNotProvided TerminationCause = 2
	BadAnswer          TerminationCause = 3
	Administrative     TerminationCause = 4
	LinkBroken         TerminationCause = 5
	AuthExpired        TerminationCause = 6
	UserMoved          TerminationCause = 7
	SessionTimeout     TerminationCause = 8
)

// IPCANType is the kind of access network (TS 29.212 §5.3.27).
type IPCANType uint32

// Values of IP-CAN-Type.
const (
	GPRS IPCANType = iota
	DOCSIS
	XDSL
	WiMAX
	CDMA
	EPS
	NonEPS
	FBA
	FiveGS
	NonFiveGS
)

// RATType is the radio (TS 29.212 §5.3.31).
type RATType uint32

// Values of RAT-Type that occur in IMS.
const (
	WLAN   RATType = 0
	UTRAN  RATType = 1000
	GERAN  RATType = 1001
	EUTRAN RATType = 1004
	NR     RATType = 1006
)

// SubscriptionIDType is the kind of identity (RFC 8506 §8.47).
type SubscriptionIDType uint32

// Values of Subscription-Id-Type.
const (
	E164 SubscriptionIDType = iota
	IMSI
	SIPURI
	NAI
	Private
)

// Features of feature list 1 (TS 29.214 §5.4.1).
const (
	FeatureRel8            uint32 = 1 << 0
	FeatureRel9            uint32 = 1 << 1
	FeatureSignallingFlow  uint32 = 1 << 2 // ProvAFsignalFlow
	FeatureRel10           uint32 = 1 << 4
	FeatureNetworkLocation uint32 = 1 << 5 // NetLoc
	featureList                   = 1
)

// Features returns the AVP that announces these features of list 1.
func Features(bits uint32) []SupportedFeatures {
	return []SupportedFeatures{{VendorID: VendorID, FeatureListID: featureList, FeatureList: bits}}
}

// Results of TS 29.214 §5.5. Those with the 3GPP vendor travel as Experimental-Result.
var (
	Success          = diameter.Result{Code: 2001}
	UnknownSessionID = diameter.Result{Code: 5002}
	InvalidAVPValue  = diameter.Result{Code: 5004}
	MissingAVP       = diameter.Result{Code: 5005}
	UnableToComply   = diameter.Result{Code: 5012}

	TemporarilyNotAuthorized          = experimental(4261)
	InvalidServiceInformation         = experimental(5061)
	FilterRestrictions                = experimental(5062)
	ServiceNotAuthorized              = experimental(5063)
	DuplicatedAFSession               = experimental(5064)
	IPCANSessionNotAvailable          = experimental(5065)
	UnauthorizedNonEmergencySession   = experimental(5066)
	UnauthorizedSponsoredConnectivity = experimental(5067)
	TemporaryNetworkFailure           = experimental(5068)
)

func experimental(code uint32) diameter.Result { return diameter.Result{Vendor: VendorID, Code: code} }

var names = map[uint32]string{
	2001: "DIAMETER_SUCCESS",
	2002: "DIAMETER_LIMITED_SUCCESS",
	3002: "DIAMETER_UNABLE_TO_DELIVER",
	3003: "DIAMETER_REALM_NOT_SERVED",
	3004: "DIAMETER_TOO_BUSY",
	3007: "DIAMETER_APPLICATION_UNSUPPORTED",
	3010: "DIAMETER_UNKNOWN_PEER",
	4001: "DIAMETER_AUTHENTICATION_REJECTED",
	4002: "DIAMETER_OUT_OF_SPACE",
	4261: "REQUESTED_SERVICE_TEMPORARILY_NOT_AUTHORIZED",
	5001: "DIAMETER_AVP_UNSUPPORTED",
	5002: "DIAMETER_UNKNOWN_SESSION_ID",
	5003: "DIAMETER_AUTHORIZATION_REJECTED",
	5004: "DIAMETER_INVALID_AVP_VALUE",
	5005: "DIAMETER_MISSING_AVP",
	5009: "DIAMETER_AVP_OCCURS_TOO_MANY_TIMES",
	5012: "DIAMETER_UNABLE_TO_COMPLY",
	5061: "INVALID_SERVICE_INFORMATION",
	5062: "FILTER_RESTRICTIONS",
	5063: "REQUESTED_SERVICE_NOT_AUTHORIZED",
	5064: "DUPLICATED_AF_SESSION",
	5065: "IP-CAN_SESSION_NOT_AVAILABLE",
	5066: "UNAUTHORIZED_NON_EMERGENCY_SESSION",
	5067: "UNAUTHORIZED_SPONSORED_DATA_CONNECTIVITY",
	5068: "TEMPORARY_NETWORK_FAILURE",
}

// Name returns the name of a result in the specifications, or "". Rx has no code twice, and PCRFs put those of RFC 6733 into
// Experimental-Result too: the number alone counts.
func Name(r diameter.Result) string { return names[r.Code] }
