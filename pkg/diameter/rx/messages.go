// Package rx is the Rx application (TS 29.214): typed messages between the P-CSCF, which is the application function, and the PCRF.
package rx

import (
	"net/netip"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

// AAR is AA-Request, code 265 (TS 29.214 §5.6.1): each has all that a session needs. A repeated Session-Id changes the session. The PCRF
// finds the UE by its address alone (§4.4.1), so one of the two Framed-… is present.
type AAR struct {
	diameter.RequestHeader
	IPDomainID            string                 `avp:"IP-Domain-Id"`
	ApplicationIdentifier string                 `avp:"AF-Application-Identifier"`
	MediaComponents       []MediaComponent       `avp:"Media-Component-Description"`
	ServiceInfoStatus     *ServiceInfoStatus     `avp:"Service-Info-Status"`
	ChargingIdentifier    string                 `avp:"AF-Charging-Identifier"` // ICID
	SIPForking            *SIPForking            `avp:"SIP-Forking-Indication"`
	SpecificActions       []SpecificAction       `avp:"Specific-Action"`
	SubscriptionIDs       []SubscriptionID       `avp:"Subscription-Id"`
	SupportedFeatures     []SupportedFeatures    `avp:"Supported-Features"`
	ReservationPriority   *uint32                `avp:"Reservation-Priority"` // 0 is the default, 15 the highest
	FramedIPAddress       []byte                 `avp:"Framed-IP-Address"`    // FramedIPv4
	FramedIPv6Prefix      []byte                 `avp:"Framed-IPv6-Prefix"`   // FramedIPv6
	CalledStationID       string                 `avp:"Called-Station-Id"`    // APN
	ServiceURN            string                 `avp:"Service-URN"`          // without "urn:service:", as "sos.fire"
	Sponsored             *SponsoredConnectivity `avp:"Sponsored-Connectivity-Data"`
	MPSIdentifier         string                 `avp:"MPS-Identifier"`
	ContentIdentifier     string                 `avp:"IMS-Content-Identifier"`
	ContentType           *uint32                `avp:"IMS-Content-Type"`
	CallingParties        []string               `avp:"Calling-Party-Address"`
	Callee                *CalleeInformation     `avp:"Callee-Information"`
	RequestType           *RequestType           `avp:"Rx-Request-Type"`
	RequiredAccessInfo    []RequiredAccessInfo   `avp:"Required-Access-Info"`
	RequestedData         uint32                 `avp:"AF-Requested-Data"` // bit 0: EPC level identities
	PreemptionControl     uint32                 `avp:"Pre-emption-Control-Info"`
	OriginStateID         uint32                 `avp:"Origin-State-Id"`
}

// AAA is AA-Answer, code 265 (TS 29.214 §5.6.2).
type AAA struct {
	diameter.AnswerHeader
	ChargingIdentifiers  []AccessNetworkChargingIdentifier `avp:"Access-Network-Charging-Identifier"`
	ChargingAddress      netip.Addr                        `avp:"Access-Network-Charging-Address"`
	Acceptable           *AcceptableService                `avp:"Acceptable-Service-Info"`
	GatewayAddresses     []netip.Addr                      `avp:"AN-GW-Address"`
	Trusted              *uint32                           `avp:"AN-Trusted"`
	ServiceAuthorization uint32                            `avp:"Service-Authorization-Info"`
	IPCANType            *IPCANType                        `avp:"IP-CAN-Type"`
	MA                   *MAInformation                    `avp:"MA-Information"`
	NetLocSupport        *uint32                           `avp:"NetLoc-Access-Support"`
	RATType              *RATType                          `avp:"RAT-Type"`
	Flows                []Flows                           `avp:"Flows"`
	SupportedFeatures    []SupportedFeatures               `avp:"Supported-Features"`
	SubscriptionIDs      []SubscriptionID                  `avp:"Subscription-Id"`
	UserEquipment        *UserEquipment                    `avp:"User-Equipment-Info"`
	PLMN                 string                            `avp:"3GPP-SGSN-MCC-MNC"`
	NID                  []byte                            `avp:"NID"`
	Classes              [][]byte                          `avp:"Class"`
	RetryInterval        uint32                            `avp:"Retry-Interval"` // seconds
	OriginStateID        uint32                            `avp:"Origin-State-Id"`
}

// RAR is Re-Auth-Request, code 258, from the PCRF (TS 29.214 §5.6.3): an event that an AAR subscribed to has happened.
type RAR struct {
	diameter.RequestHeader
	SpecificActions     []SpecificAction                  `avp:"Specific-Action"`
	ChargingIdentifiers []AccessNetworkChargingIdentifier `avp:"Access-Network-Charging-Identifier"`
	ChargingAddress     netip.Addr                        `avp:"Access-Network-Charging-Address"`
	GatewayAddresses    []netip.Addr                      `avp:"AN-GW-Address"`
	Trusted             *uint32                           `avp:"AN-Trusted"`
	Flows               []Flows                           `avp:"Flows"` // those concerned; none: all of the session
	SubscriptionIDs     []SubscriptionID                  `avp:"Subscription-Id"`
	AbortCause          *AbortCause                       `avp:"Abort-Cause"`
	IPCANType           *IPCANType                        `avp:"IP-CAN-Type"`
	MA                  *MAInformation                    `avp:"MA-Information"`
	RATType             *RATType                          `avp:"RAT-Type"`
	Sponsored           *SponsoredConnectivity            `avp:"Sponsored-Connectivity-Data"`
	AccessInformation
	Classes       [][]byte `avp:"Class"`
	OriginStateID uint32   `avp:"Origin-State-Id"`
}

// RAA is Re-Auth-Answer (TS 29.214 §5.6.4).
type RAA struct {
	diameter.AnswerHeader
	MediaComponents []MediaComponent `avp:"Media-Component-Description"`
	ServiceURN      string           `avp:"Service-URN"`
	OriginStateID   uint32           `avp:"Origin-State-Id"`
	Classes         [][]byte         `avp:"Class"`
}

// STR is Session-Termination-Request, code 275, from the P-CSCF (TS 29.214 §5.6.5).
type STR struct {
	diameter.RequestHeader
	Cause              TerminationCause     `avp:"Termination-Cause,required"`
	RequiredAccessInfo []RequiredAccessInfo `avp:"Required-Access-Info"`
	Classes            [][]byte             `avp:"Class"` // as in the AAA (RFC 6733 §8.20)
	OriginStateID      uint32               `avp:"Origin-State-Id"`
}

// STA is Session-Termination-Answer (TS 29.214 §5.6.6).
type STA struct {
	diameter.AnswerHeader
	Sponsored     *SponsoredConnectivity `avp:"Sponsored-Connectivity-Data"`
	OriginStateID uint32                 `avp:"Origin-State-Id"`
	AccessInformation
	Classes [][]byte `avp:"Class"`
}

// ASR is Abort-Session-Request, code 274, from the PCRF (TS 29.214 §5.6.7): the bearers of the session are gone, or must go.
type ASR struct {
	diameter.RequestHeader
	AbortCause    *AbortCause `avp:"Abort-Cause"`
	OriginStateID uint32      `avp:"Origin-State-Id"`
}

// ASA is Abort-Session-Answer (TS 29.214 §5.6.8). An STR follows it.
type ASA struct {
	diameter.AnswerHeader
	OriginStateID uint32 `avp:"Origin-State-Id"`
}
