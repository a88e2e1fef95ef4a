package swx

import (
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// RequestHeader is the same as in Cx: Supported-Features is TS 29.229's.
type RequestHeader = cx.RequestHeader

// AnswerHeader is the same as in Cx.
type AnswerHeader = cx.AnswerHeader

// MAR is Multimedia-Auth-Request, code 303 (TS 29.273 §8.2.2.1). In all of SWx, User-Name is the IMSI; some AAA servers send the EAP
// identity.
type MAR struct {
	RequestHeader
	UserName            string       `avp:"User-Name,required"`
	RATType             *uint32      `avp:"RAT-Type"`
	ANID                string       `avp:"ANID"`                       // name of the access network, for EAP-AKA' (TS 24.302 §8.1.1)
	VisitedNetwork      string       `avp:"Visited-Network-Identifier"` // none: at home
	AuthDataItem        AuthDataItem `avp:"SIP-Auth-Data-Item,required"`
	NumberOfAuthVectors uint32       `avp:"SIP-Number-Auth-Items,required"`
}

// MAA is Multimedia-Auth-Answer.
type MAA struct {
	AnswerHeader
	UserName            string         `avp:"User-Name"`
	NumberOfAuthVectors uint32         `avp:"SIP-Number-Auth-Items"`
	AuthDataItems       []AuthDataItem `avp:"SIP-Auth-Data-Item"`
}

// AuthDataItem is SIP-Auth-Data-Item (TS 29.273 §8.2.3.7): one vector. Authenticate = RAND||AUTN, Authorization = XRES; in a MAR that
// resynchronises, Authorization = RAND||AUTS. For EAP-AKA' the keys are CK' and IK'.
type AuthDataItem struct {
	ItemNumber         *uint32 `avp:"SIP-Item-Number"` // in the order of use
	Scheme             string  `avp:"SIP-Authentication-Scheme"`
	Authenticate       []byte  `avp:"SIP-Authenticate"`
	Authorization      []byte  `avp:"SIP-Authorization"`
	ConfidentialityKey []byte  `avp:"Confidentiality-Key"`
	IntegrityKey       []byte  `avp:"Integrity-Key"`
}

// SAR is Server-Assignment-Request, code 301 (TS 29.273 §8.2.2.3).
type SAR struct {
	RequestHeader
	UserName       string                  `avp:"User-Name,required"`
	Type           cx.ServerAssignmentType `avp:"Server-Assignment-Type,required"`
	VisitedNetwork string                  `avp:"Visited-Network-Identifier"`

	// Of PGW_UPDATE: the PDN gateway of an APN.
	APN       string   `avp:"Service-Selection"`
	Context   *uint32  `avp:"Context-Identifier"`
	PGW       *s6a.PGW `avp:"MIP6-Agent-Info"`
	Emergency uint32   `avp:"Emergency-Services"` // TS 29.273 §8.2.3.25

	ActiveAPNs []ActiveAPN `avp:"Active-APN"` // of RESTORATION
}

// ActiveAPN is Active-APN (TS 29.272 §7.3.127): an APN in use, with its PDN gateway.
type ActiveAPN struct {
	Context        uint32   `avp:"Context-Identifier,required"`
	APN            string   `avp:"Service-Selection"`
	PGW            *s6a.PGW `avp:"MIP6-Agent-Info"`
	VisitedNetwork string   `avp:"Visited-Network-Identifier"`
}

// SAA is Server-Assignment-Answer.
type SAA struct {
	AnswerHeader
	UserName string    `avp:"User-Name"`
	UserData *UserData `avp:"Non-3GPP-User-Data"`
}

// RTR is Registration-Termination-Request, code 304, from the HSS to the AAA server (TS 29.273 §8.2.2.4).
type RTR struct {
	RequestHeader
	UserName string                  `avp:"User-Name,required"`
	Reason   cx.DeregistrationReason `avp:"Deregistration-Reason,required"`
}

// RTA is Registration-Termination-Answer.
type RTA struct{ AnswerHeader }

// PPR is Push-Profile-Request, code 305, from the HSS to the AAA server (TS 29.273 §8.2.2.2). With ResetIndication, User-Name is EveryUser.
type PPR struct {
	RequestHeader
	UserName string    `avp:"User-Name,required"`
	UserData *UserData `avp:"Non-3GPP-User-Data"`
	Flags    PPRFlags  `avp:"PPR-Flags"`
}

// PPA is Push-Profile-Answer.
type PPA struct{ AnswerHeader }

// UserData is Non-3GPP-User-Data (TS 29.273 §8.2.3.1): the data that the AAA server gets of a user.
type UserData struct {
	Subscription []SubscriptionID       `avp:"Subscription-Id"`
	Access       *IPAccess              `avp:"Non-3GPP-IP-Access"`
	APNAccess    *APNAccess             `avp:"Non-3GPP-IP-Access-APN"`
	AMBR         *s6a.AMBR              `avp:"AMBR"`
	Default      *uint32                `avp:"Context-Identifier"` // the APN that is used when the handset names none
	APNs         []s6a.APNConfiguration `avp:"APN-Configuration"`
}

// SubscriptionID is Subscription-Id (RFC 8506 §8.46).
type SubscriptionID struct {
	Type uint32 `avp:"Subscription-Id-Type,required"`
	Data string `avp:"Subscription-Id-Data,required"`
}

// FailedAVP is the AVP at fault in an SWx request: a copy of it, or an example of a missing one (RFC 6733 §7.5).
type FailedAVP struct {
	NumberOfAuthVectors *uint32       `avp:"SIP-Number-Auth-Items"`
	ANID                string        `avp:"ANID"`
	PGW                 *s6a.PGW      `avp:"MIP6-Agent-Info"`
	AuthDataItem        *AuthDataItem `avp:"SIP-Auth-Data-Item"`
}
