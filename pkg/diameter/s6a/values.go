package s6a

import "github.com/dialtone-ims/dialtone/pkg/diameter"

// VendorID is 3GPP's enterprise number, the vendor of TS 29.272's AVPs.
const VendorID = 10415

// RATType is the radio (TS 29.212 §5.3.31).
type RATType uint32

// Values of RAT-Type that an MME sends.
const (
	EUTRAN      RATType = 1004
	EUTRANNBIoT RATType = 1005
	LTEM        RATType = 1007
)

// ULRFlags is a bit mask (TS 29.272 §7.3.7).
type ULRFlags uint32

// Bits of ULR-Flags.
const (
	FromMME            ULRFlags = 1 << 1 // S6a/S6d-Indicator
	SkipSubscriberData ULRFlags = 1 << 2
	InitialAttach      ULRFlags = 1 << 5
)

// ULAFlags is a bit mask (TS 29.272 §7.3.8).
type ULAFlags uint32

// SeparationIndication says that the HSS keeps the MME and the SGSN of a user apart.
const SeparationIndication ULAFlags = 1 << 0

// PUAFlags is a bit mask (TS 29.272 §7.3.48).
type PUAFlags uint32

// FreezeMTMSI says that this MME was the user's, and must not give the M-TMSI to anybody else for a while.
const FreezeMTMSI PUAFlags = 1 << 0

// NORFlags is a bit mask (TS 29.272 §7.3.49).
type NORFlags uint32

// ForgetPGWs says that no PDN gateway of the user is in use any more.
const ForgetPGWs NORFlags = 1 << 2

// DSRFlags is a bit mask (TS 29.272 §7.3.25).
type DSRFlags uint32

// Bits of DSR-Flags. Withdrawal of the whole APN profile is for SGSNs alone: an MME always has the default APN.
const (
	ZonesWithdrawn              DSRFlags = 1 << 0
	PDNContextsWithdrawn        DSRFlags = 1 << 3
	RoamingRestrictionWithdrawn DSRFlags = 1 << 7
)

// FeatureRegionalSubscription is the bit of feature list 1 of an MME that serves users in some zones only (RegSub, TS 29.272 §7.3.10).
const FeatureRegionalSubscription uint32 = 1 << 9

// DynamicAllocation is the PDN-GW-Allocation-Type of a gateway that the network has chosen (TS 29.272 §7.3.44).
const DynamicAllocation uint32 = 1

// CLRFlags is a bit mask (TS 29.272 §7.3.152).
type CLRFlags uint32

// OfMME says that the MME is meant, not an SGSN (S6a/S6d-Indicator).
const OfMME CLRFlags = 1 << 0

// AccessRestriction is a bit mask (TS 29.272 §7.3.31).
type AccessRestriction uint32

// Bits of Access-Restriction-Data for the radio that an MME serves.
const (
	WBEUTRANNotAllowed AccessRestriction = 1 << 4
	NBIoTNotAllowed    AccessRestriction = 1 << 6
	LTEMNotAllowed     AccessRestriction = 1 << 11
)

// CancellationType is why a location is cancelled (TS 29.272 §7.3.24).
type CancellationType uint32

// Values of Cancellation-Type.
const (
	MMEUpdateProcedure CancellationType = iota
	SGSNUpdateProcedure
	SubscriptionWithdrawal
	UpdateProcedureIWF
	InitialAttachProcedure
)

// PDNType is the kind of addresses that a PDN connection has (TS 29.272 §7.3.62).
type PDNType uint32

// Values of PDN-Type.
const (
	IPv4 PDNType = iota
	IPv6
	IPv4v6
)

// Results of TS 29.272 §7.4. Those with the 3GPP vendor travel as Experimental-Result: a plain 5001 would be "AVP unsupported".
var (
	Success        = diameter.Result{Code: 2001}
	UnableToComply = diameter.Result{Code: 5012}

	AuthenticationDataUnavailable = experimental(4181)
	ErrorUserUnknown              = experimental(5001)
	ErrorRoamingNotAllowed        = experimental(5004)
	ErrorUnknownEPSSubscription   = experimental(5420)
	ErrorRATNotAllowed            = experimental(5421)
	ErrorUnknownServingNode       = experimental(5423)
)

func experimental(code uint32) diameter.Result { return diameter.Result{Vendor: VendorID, Code: code} }

var names = map[diameter.Result]string{
	Success:                       "DIAMETER_SUCCESS",
	UnableToComply:                "DIAMETER_UNABLE_TO_COMPLY",
	AuthenticationDataUnavailable: "DIAMETER_AUTHENTICATION_DATA_UNAVAILABLE",
	ErrorUserUnknown:              "DIAMETER_ERROR_USER_UNKNOWN",
	ErrorRoamingNotAllowed:        "DIAMETER_ERROR_ROAMING_NOT_ALLOWED",
	ErrorUnknownEPSSubscription:   "DIAMETER_ERROR_UNKNOWN_EPS_SUBSCRIPTION",
	ErrorRATNotAllowed:            "DIAMETER_ERROR_RAT_NOT_ALLOWED",
	ErrorUnknownServingNode:       "DIAMETER_ERROR_UNKNOWN_SERVING_NODE",
}

// Name returns the name of a result in the specifications, or "".
func Name(r diameter.Result) string { return names[r] }
