package ro

import "github.com/dialtone-ims/dialtone/pkg/diameter"

// RAR is Re-Auth-Request, code 258, from the OCS to the network function (RFC 8506 §5.5): it asks for a CCR Update that reports usage and
// requests credit again. Without Rating-Group and Service-Identifier it is for the whole session.
type RAR struct {
	diameter.RequestHeader
	Type               ReAuthType `avp:"Re-Auth-Request-Type,required"`
	UserName           string     `avp:"User-Name"`
	OriginStateID      uint32     `avp:"Origin-State-Id"`
	SubSessionID       *uint64    `avp:"CC-Sub-Session-Id"`
	PoolIdentifier     *uint32    `avp:"G-S-U-Pool-Identifier"`
	ServiceIdentifiers []uint32   `avp:"Service-Identifier"`
	RatingGroups       []uint32   `avp:"Rating-Group"`
}

// RAA is Re-Auth-Answer: LimitedSuccess when a CCR Update follows, UnknownSessionID when there is no such session.
type RAA struct {
	diameter.AnswerHeader
	UserName string `avp:"User-Name"`
}

// ASR is Abort-Session-Request, code 274, from the OCS to the network function (RFC 6733 §8.5): it ends the service and asks for a CCR
// Terminate that reports usage.
type ASR struct {
	diameter.RequestHeader
	UserName      string `avp:"User-Name"`
	OriginStateID uint32 `avp:"Origin-State-Id"`
}

// ASA is Abort-Session-Answer: Success, or UnknownSessionID when there is no such session.
type ASA struct {
	diameter.AnswerHeader
	UserName string `avp:"User-Name"`
}
