// Package cx implements the Cx application (TS 29.228, TS 29.229): typed messages between I-CSCF or S-CSCF and HSS.
package cx

import "github.com/dialtone-ims/dialtone/pkg/diameter"

// VendorID is 3GPP's enterprise number.
const VendorID = 10415

// Results of TS 29.229 §6.2. Those with the 3GPP vendor travel as Experimental-Result.
var (
	Success               = diameter.Result{Code: 2001}
	UnableToComply        = diameter.Result{Code: 5012}
	AuthorizationRejected = diameter.Result{Code: 5003}

	FirstRegistration          = experimental(2001)
	SubsequentRegistration     = experimental(2002)
	UnregisteredService        = experimental(2003)
	SuccessServerNameNotStored = experimental(2004)

	ErrorUserUnknown                   = experimental(5001)
	ErrorIdentitiesDontMatch           = experimental(5002)
	ErrorIdentityNotRegistered         = experimental(5003)
	ErrorRoamingNotAllowed             = experimental(5004)
	ErrorIdentityAlreadyRegistered     = experimental(5005)
	ErrorAuthSchemeNotSupported        = experimental(5006)
	ErrorInAssignmentType              = experimental(5007)
	ErrorTooMuchData                   = experimental(5008)
	ErrorNotSupportedUserData          = experimental(5009)
	ErrorFeatureUnsupported            = experimental(5011)
	ErrorServingNodeFeatureUnsupported = experimental(5012)
)

func experimental(code uint32) diameter.Result { return diameter.Result{Vendor: VendorID, Code: code} }

// UserAuthorizationType is what a UAR asks for (TS 29.229 §6.3.24).
type UserAuthorizationType uint32

// Values of User-Authorization-Type.
const (
	Registration UserAuthorizationType = iota
	DeRegistration
	RegistrationAndCapabilities
)

// UARFlags is a bit mask (TS 29.229 §6.3.44).
type UARFlags uint32

// EmergencyRegistration marks a UAR of an emergency registration.
const EmergencyRegistration UARFlags = 1

// ServerAssignmentType is why a SAR is sent (TS 29.229 §6.3.15).
type ServerAssignmentType uint32

// Values of Server-Assignment-Type.
const (
	NoAssignment ServerAssignmentType = iota
	AssignRegistration
	ReRegistration
	UnregisteredUser
	TimeoutDeregistration
	UserDeregistration
	TimeoutDeregistrationStoreServerName
	UserDeregistrationStoreServerName
	AdministrativeDeregistration
	AuthenticationFailure
	AuthenticationTimeout
	DeregistrationTooMuchData
	AAAUserDataRequest
	PGWUpdate
	Restoration
)

// UserDataAlreadyAvailable says whether the S-CSCF already holds the profile (TS 29.229 §6.3.26).
type UserDataAlreadyAvailable uint32

// Values of User-Data-Already-Available.
const (
	UserDataNotAvailable UserDataAlreadyAvailable = iota
	UserDataAvailable
)

// ReasonCode is the code of a Deregistration-Reason (TS 29.229 §6.3.17).
type ReasonCode uint32

// Values of Reason-Code.
const (
	PermanentTermination ReasonCode = iota
	NewServerAssigned
	ServerChange
	RemoveSCSCF
)

// Authentication schemes of TS 29.229 §6.3.9.
const (
	SchemeDigestAKAv1MD5 = "Digest-AKAv1-MD5"
	SchemeDigestMD5      = "Digest-MD5"
	SchemeSIPDigest      = "SIP Digest"
	SchemeUnknown        = "Unknown"

	// Schemes of the same form for version 2 of AKA.
	SchemeDigestAKAv2MD5    = "Digest-AKAv2-MD5"
	SchemeDigestAKAv2SHA256 = "Digest-AKAv2-SHA-256"
)

// SchemesOfAKA are the schemes whose vector is RAND, AUTN, XRES, CK and IK.
var SchemesOfAKA = []string{SchemeDigestAKAv1MD5, SchemeDigestAKAv2MD5, SchemeDigestAKAv2SHA256}
