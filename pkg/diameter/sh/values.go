package sh

import "github.com/dialtone-ims/dialtone/pkg/diameter"

// VendorID is 3GPP's enterprise number, the vendor of TS 29.329's AVPs.
const VendorID = 10415

// DataReference is a kind of data of a user (TS 29.329 §6.3.4, TS 29.328 table 7.6.1).
type DataReference uint32

// The references that an HSS of the IMS and the EPC has data for.
const (
	ReferenceRepositoryData      DataReference = 0
	ReferenceIMSPublicIdentity   DataReference = 10
	ReferenceIMSUserState        DataReference = 11
	ReferenceSCSCFName           DataReference = 12
	ReferenceFilterCriteria      DataReference = 13
	ReferenceLocationInformation DataReference = 14
	ReferenceUserState           DataReference = 15
	ReferenceCharging            DataReference = 16
	ReferenceMSISDN              DataReference = 17
	ReferenceDSAI                DataReference = 19
	ReferenceIMSI                DataReference = 32
	ReferencePrivateIdentity     DataReference = 33
	ReferenceIMEISV              DataReference = 34
)

// SubsReqType is what an SNR is for (TS 29.329 §6.3.6).
type SubsReqType uint32

// Values of Subs-Req-Type.
const (
	Subscribe SubsReqType = iota
	Unsubscribe
)

// IdentitySet says which public identities are meant (TS 29.329 §6.3.10).
type IdentitySet uint32

// Values of Identity-Set.
const (
	AllIdentities IdentitySet = iota
	RegisteredIdentities
	ImplicitIdentities
	AliasIdentities
)

// CircuitSwitched is the Requested-Domain of the MSC (TS 29.329 §6.3.7); the other one is that of the MME.
const CircuitSwitched uint32 = 0

// NodeMME is the bit of Requested-Nodes for the MME (TS 29.329 §6.3.7A).
const NodeMME uint32 = 1 << 0

// DataRequested is the Send-Data-Indication of an SNR that wants the data of now, too (TS 29.329 §6.3.17).
const DataRequested uint32 = 1

// Values of IMSUserState (TS 29.328 table D.1).
const (
	StateNotRegistered = iota
	StateRegistered
	StateUnregisteredServices
	StateAuthenticationPending
)

// Values of EPSUserState (TS 29.328 table D.1).
const (
	EPSDetached    = 0
	EPSNotProvided = 5 // the MME was not asked
)

// Values of IdentityType (TS 29.328 table D.1).
const (
	DistinctPSI    = 1
	WildcardedPSI  = 2
	WildcardedIMPU = 3
)

// MaxSequenceNumber is the last Sequence-Number of repository data; 1 follows (TS 29.328 §6.1.2.1).
const MaxSequenceNumber = 65535

// Results of TS 29.329 §6.2. Those with the 3GPP vendor travel as Experimental-Result.
var (
	Success        = diameter.Result{Code: 2001}
	UnableToComply = diameter.Result{Code: 5012}

	ErrorUserUnknown              = experimental(5001)
	ErrorIdentitiesDontMatch      = experimental(5002)
	ErrorTooMuchData              = experimental(5008)
	ErrorUserDataNotRecognized    = experimental(5100)
	ErrorOperationNotAllowed      = experimental(5101)
	ErrorUserDataCannotBeRead     = experimental(5102)
	ErrorUserDataCannotBeModified = experimental(5103)
	ErrorUserDataCannotBeNotified = experimental(5104)
	ErrorTransparentDataOutOfSync = experimental(5105)
	ErrorSubsDataAbsent           = experimental(5106)
	ErrorNoSubscriptionToData     = experimental(5107)
	ErrorDSAINotAvailable         = experimental(5108)
)

func experimental(code uint32) diameter.Result { return diameter.Result{Vendor: VendorID, Code: code} }

// Number returns the digits of an MSISDN AVP (TBCD, TS 29.002 §17.7.8); false if it has something else.
func Number(octets []byte) (string, bool) {
	digits := make([]byte, 0, 2*len(octets))

	for i, octet := range octets {
		low, high := octet&0xF, octet>>4
		last := i == len(octets)-1

		if low > 9 || high > 9 && !(last && high == 0xF) {
			return "", false
		}

		if digits = append(digits, '0'+low); high <= 9 {
			digits = append(digits, '0'+high)
		}
	}

	return string(digits), len(digits) > 0
}
