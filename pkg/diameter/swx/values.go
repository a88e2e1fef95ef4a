package swx

import "github.com/dialtone-ims/dialtone/pkg/diameter"

// VendorID is 3GPP's enterprise number, the vendor of TS 29.273's AVPs.
const VendorID = 10415

// Authentication schemes of TS 29.273 §8.2.3.8.
const (
	SchemeEAPAKA      = "EAP-AKA"
	SchemeEAPAKAPrime = "EAP-AKA'"
)

// IPAccess says whether a user may use non-3GPP accesses (TS 29.273 §8.2.3.3).
type IPAccess uint32

// SubscriptionAllowed is the only value sent: without a subscription there is no user data.
const SubscriptionAllowed IPAccess = 0

// APNAccess says whether all APNs may be used over such an access (TS 29.273 §8.2.3.4).
type APNAccess uint32

// APNsEnabled allows all APNs.
const APNsEnabled APNAccess = 0

// EndUserE164 is the Subscription-Id-Type of a number (RFC 8506 §8.47).
const EndUserE164 uint32 = 0

// PPRFlags is a bit mask (TS 29.273 §8.2.3.17).
type PPRFlags uint32

// ResetIndication says that the HSS may have lost what AAA servers have reported of their users.
const ResetIndication PPRFlags = 1 << 0

// EveryUser is the User-Name of a PPR that is about all users (TS 29.273 §8.1.2.4.1.1).
const EveryUser = "*"

// FeatureRestoration is the bit of feature list 1 of an AAA server that restores what the HSS has lost (TS 29.273 §8.2.3.16).
const FeatureRestoration uint32 = 1 << 0

// EmergencyIndication is the bit of Emergency-Services for the gateway of emergency calls (TS 29.273 §8.2.3.25).
const EmergencyIndication uint32 = 1 << 0

// Results of TS 29.273 §8.2.4. Those with the 3GPP vendor travel as Experimental-Result.
var (
	Success        = diameter.Result{Code: 2001}
	UnableToComply = diameter.Result{Code: 5012}

	ErrorUserUnknown               = experimental(5001)
	ErrorIdentityNotRegistered     = experimental(5003)
	ErrorRoamingNotAllowed         = experimental(5004)
	ErrorAuthSchemeNotSupported    = experimental(5006)
	ErrorUserNoNon3GPPSubscription = experimental(5450)
)

func experimental(code uint32) diameter.Result { return diameter.Result{Vendor: VendorID, Code: code} }
