package credit

import (
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// Answer is a CCA with Failed-AVP.
type Answer struct {
	ro.CCA
	Failed *FailedAVP `avp:"Failed-AVP"`
}

// FailedAVP is the offending AVPs: copies, or examples of missing ones (RFC 6733 §7.5).
type FailedAVP struct {
	SessionID             string              `avp:"Session-Id"`
	OriginHost            string              `avp:"Origin-Host"`
	OriginRealm           string              `avp:"Origin-Realm"`
	ServiceContextID      string              `avp:"Service-Context-Id"`
	RequestNumber         *uint32             `avp:"CC-Request-Number"`
	RequestType           *ro.RequestType     `avp:"CC-Request-Type"`
	RequestedAction       *ro.RequestedAction `avp:"Requested-Action"`
	RequestedServiceUnit  *ro.ServiceUnit     `avp:"Requested-Service-Unit"`
	UsedServiceUnit       *ro.ServiceUnit     `avp:"Used-Service-Unit"`
	Subscription          *ro.SubscriptionID  `avp:"Subscription-Id"`
	CalledPartyAddress    string              `avp:"Called-Party-Address"`
	CallingPartyAddress   string              `avp:"Calling-Party-Address"`
	IMSChargingIdentifier string              `avp:"IMS-Charging-Identifier"`
	UserSessionID         string              `avp:"User-Session-Id"`
	SIPMethod             string              `avp:"SIP-Method"`
	RatingGroup           *uint32             `avp:"Rating-Group"`
}

func refused(result diameter.Result, text string, failed *FailedAVP) *Answer {
	a := &Answer{Failed: failed}
	a.Result, a.ErrorMessage = result, text

	return a
}

func accepted() *Answer {
	a := &Answer{}
	a.Result = ro.Success

	return a
}
