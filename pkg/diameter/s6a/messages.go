// Package s6a is the S6a application (TS 29.272): typed messages between the MME and the HSS.
package s6a

import "github.com/dialtone-ims/dialtone/pkg/diameter/cx"

// RequestHeader is the same as in Cx: Supported-Features is TS 29.229's (TS 29.272 §7.3.10).
type RequestHeader = cx.RequestHeader

// AnswerHeader is the same as in Cx.
type AnswerHeader = cx.AnswerHeader

// AIR is Authentication-Information-Request, code 318 (TS 29.272 §7.2.5). In all of S6a, User-Name is the IMSI in digits alone.
type AIR struct {
	RequestHeader
	UserName    string                   `avp:"User-Name,required"`
	EUTRAN      *RequestedAuthentication `avp:"Requested-EUTRAN-Authentication-Info"`
	UTRANGERAN  *RequestedAuthentication `avp:"Requested-UTRAN-GERAN-Authentication-Info"`
	VisitedPLMN []byte                   `avp:"Visited-PLMN-Id,required"` // ParsePLMN
}

// AIA is Authentication-Information-Answer (TS 29.272 §7.2.6).
type AIA struct {
	AnswerHeader
	Authentication *Authentication `avp:"Authentication-Info"`
}

// ULR is Update-Location-Request, code 316 (TS 29.272 §7.2.3).
type ULR struct {
	RequestHeader
	UserName    string    `avp:"User-Name,required"`
	RATType     RATType   `avp:"RAT-Type,required"`
	Flags       ULRFlags  `avp:"ULR-Flags,required"`
	VisitedPLMN []byte    `avp:"Visited-PLMN-Id,required"` // ParsePLMN
	Terminal    *Terminal `avp:"Terminal-Information"`
}

// ULA is Update-Location-Answer (TS 29.272 §7.2.4).
type ULA struct {
	AnswerHeader
	Flags        *ULAFlags         `avp:"ULA-Flags"`
	Subscription *SubscriptionData `avp:"Subscription-Data"`
}

// PUR is Purge-UE-Request, code 321 (TS 29.272 §7.2.13): the MME has forgotten the user.
type PUR struct {
	RequestHeader
	UserName string `avp:"User-Name,required"`
}

// PUA is Purge-UE-Answer (TS 29.272 §7.2.14).
type PUA struct {
	AnswerHeader
	Flags *PUAFlags `avp:"PUA-Flags"`
}

// NOR is Notify-Request, code 323 (TS 29.272 §7.2.17).
type NOR struct {
	RequestHeader
	UserName string    `avp:"User-Name,required"`
	Terminal *Terminal `avp:"Terminal-Information"`
	Flags    NORFlags  `avp:"NOR-Flags"`

	// The PDN gateway of an APN.
	APN            string  `avp:"Service-Selection"`
	Context        *uint32 `avp:"Context-Identifier"`
	PGW            *PGW    `avp:"MIP6-Agent-Info"`
	VisitedNetwork string  `avp:"Visited-Network-Identifier"` // of the gateway
}

// NOA is Notify-Answer (TS 29.272 §7.2.18).
type NOA struct{ AnswerHeader }

// CLR is Cancel-Location-Request, code 317, from the HSS to the MME (TS 29.272 §7.2.7).
type CLR struct {
	RequestHeader
	UserName string           `avp:"User-Name,required"`
	Type     CancellationType `avp:"Cancellation-Type,required"`
	Flags    CLRFlags         `avp:"CLR-Flags"`
}

// CLA is Cancel-Location-Answer (TS 29.272 §7.2.8).
type CLA struct{ AnswerHeader }

// IDR is Insert-Subscriber-Data-Request, code 319, from the HSS to the MME (TS 29.272 §7.2.9).
type IDR struct {
	RequestHeader
	UserName     string           `avp:"User-Name,required"`
	Subscription SubscriptionData `avp:"Subscription-Data,required"`
	Flags        uint32           `avp:"IDR-Flags"`
}

// IDA is Insert-Subscriber-Data-Answer (TS 29.272 §7.2.10).
type IDA struct{ AnswerHeader }

// DSR is Delete-Subscriber-Data-Request, code 320, from the HSS to the MME (TS 29.272 §7.2.11): what the flags name is withdrawn, which an
// IDR cannot express.
type DSR struct {
	RequestHeader
	UserName string   `avp:"User-Name,required"`
	Flags    DSRFlags `avp:"DSR-Flags,required"`
	Contexts []uint32 `avp:"Context-Identifier"` // of the APNs withdrawn
}

// DSA is Delete-Subscriber-Data-Answer (TS 29.272 §7.2.12).
type DSA struct{ AnswerHeader }

// RSR is Reset-Request, code 322, from the HSS to the MME (TS 29.272 §7.2.15): the HSS may have lost data of its users.
type RSR struct{ RequestHeader }

// RSA is Reset-Answer (TS 29.272 §7.2.16).
type RSA struct{ AnswerHeader }

// FailedAVP is the AVP at fault in an S6a request: a copy of it, or an example of a missing one (RFC 6733 §7.5).
type FailedAVP struct {
	VisitedPLMN []byte                   `avp:"Visited-PLMN-Id"`
	EUTRAN      *RequestedAuthentication `avp:"Requested-EUTRAN-Authentication-Info"`
	PGW         *PGW                     `avp:"MIP6-Agent-Info"`
}
