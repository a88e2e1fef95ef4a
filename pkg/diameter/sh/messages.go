package sh

import (
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// RequestHeader is the same as in Cx.
type RequestHeader = cx.RequestHeader

// AnswerHeader is the same as in Cx.
type AnswerHeader = cx.AnswerHeader

// UserIdentity is User-Identity (TS 29.329 §6.3.1): one of its parts.
type UserIdentity struct {
	PublicIdentity     string `avp:"Public-Identity"`
	MSISDN             []byte `avp:"MSISDN"` // TBCD
	ExternalIdentifier string `avp:"External-Identifier"`
}

// UDR is User-Data-Request, code 306 (TS 29.328 §6.1.1): an application server reads.
type UDR struct {
	RequestHeader
	User             UserIdentity    `avp:"User-Identity,required"`
	WildcardedPSI    string          `avp:"Wildcarded-Public-Identity"`
	WildcardedIMPU   string          `avp:"Wildcarded-IMPU"`
	ServerName       string          `avp:"Server-Name"`
	Services         []string        `avp:"Service-Indication"`
	References       []DataReference `avp:"Data-Reference"` // one, at least
	IdentitySets     []IdentitySet   `avp:"Identity-Set"`
	Domain           *uint32         `avp:"Requested-Domain"`
	CurrentLocation  *uint32         `avp:"Current-Location"`
	DSAITags         []string        `avp:"DSAI-Tag"`
	SessionPriority  *uint32         `avp:"Session-Priority"`
	UserName         string          `avp:"User-Name"`
	Nodes            uint32          `avp:"Requested-Nodes"` // 0: all
	ServingNodesOnly *uint32         `avp:"Serving-Node-Indication"`
	Flags            uint32          `avp:"UDR-Flags"`
}

// UDA is User-Data-Answer.
type UDA struct {
	AnswerHeader
	UserData []byte `avp:"User-Data"` // Data; none: there is no such data
}

// PUR is Profile-Update-Request, code 307 (TS 29.328 §6.1.2): an application server writes.
type PUR struct {
	RequestHeader
	User           UserIdentity    `avp:"User-Identity,required"`
	WildcardedPSI  string          `avp:"Wildcarded-Public-Identity"`
	WildcardedIMPU string          `avp:"Wildcarded-IMPU"`
	UserName       string          `avp:"User-Name"`
	References     []DataReference `avp:"Data-Reference"` // one, at least
	UserData       []byte          `avp:"User-Data,required"`
}

// PUA is Profile-Update-Answer.
type PUA struct{ AnswerHeader }

// SNR is Subscribe-Notifications-Request, code 308 (TS 29.328 §6.1.3): an application server wants to be told of changes.
type SNR struct {
	RequestHeader
	User           UserIdentity    `avp:"User-Identity,required"`
	WildcardedPSI  string          `avp:"Wildcarded-Public-Identity"`
	WildcardedIMPU string          `avp:"Wildcarded-IMPU"`
	Services       []string        `avp:"Service-Indication"`
	SendData       uint32          `avp:"Send-Data-Indication"` // 1: with the data of now
	ServerName     string          `avp:"Server-Name"`
	Type           SubsReqType     `avp:"Subs-Req-Type,required"`
	References     []DataReference `avp:"Data-Reference"` // one, at least
	IdentitySets   []IdentitySet   `avp:"Identity-Set"`
	Expiry         time.Time       `avp:"Expiry-Time"` // none: never
	DSAITags       []string        `avp:"DSAI-Tag"`
	OneTime        *uint32         `avp:"One-Time-Notification"`
	UserName       string          `avp:"User-Name"`
}

// SNA is Subscribe-Notifications-Answer.
type SNA struct {
	AnswerHeader
	UserData []byte    `avp:"User-Data"`
	Expiry   time.Time `avp:"Expiry-Time"` // when the subscription ends; none: never
}

// PNR is Push-Notification-Request, code 309, from the HSS to an application server (TS 29.328 §6.1.4).
type PNR struct {
	RequestHeader
	User     UserIdentity `avp:"User-Identity,required"`
	UserData []byte       `avp:"User-Data,required"`
	UserName string       `avp:"User-Name"` // if the application server has named it
}

// PNA is Push-Notification-Answer.
type PNA struct{ AnswerHeader }

// FailedAVP is the AVP at fault in an Sh request: a copy of it, or an example of a missing one (RFC 6733 §7.5).
type FailedAVP struct {
	User         *UserIdentity   `avp:"User-Identity"`
	Services     []string        `avp:"Service-Indication"`
	References   []DataReference `avp:"Data-Reference"`
	IdentitySets []IdentitySet   `avp:"Identity-Set"`
	DSAITags     []string        `avp:"DSAI-Tag"`
	ServerName   string          `avp:"Server-Name"`
}
