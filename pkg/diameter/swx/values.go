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

// Results of TS 29.273 §8.2.4. Those with the 3GPP vendor travel as Experimental-Result.
var (
	Success        = diameter.Result{Code: 2001}
	UnableToComply = diameter.Result{Code: 5012}

	ErrorUserUnknown               = experimental(5001)
	ErrorIdentityNotRegistered     = experimental(5003)
	ErrorRoamingNotAllowed         = experimental(5004)
	ErrorAuthSchemeNotSupported    = experimental(5006)
	ErrorInAssignmentType          = experimental(5007)
	ErrorUserNoNon3GPPSubscription = experimental(5450)
)

func experimental(code uint32) diameter.Result { return diameter.Result{Vendor: VendorID, Code: code} }
