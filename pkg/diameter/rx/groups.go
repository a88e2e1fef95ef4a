package rx

import (
	"net/netip"
	"time"
)

// MediaComponent is Media-Component-Description (TS 29.214 §5.3.16): one m-line. Bandwidths are in bit/s.
type MediaComponent struct {
	Number                  uint32         `avp:"Media-Component-Number,required"` // ordinal of the m-line, from 1
	SubComponents           []SubComponent `avp:"Media-Sub-Component"`
	ApplicationIdentifier   string         `avp:"AF-Application-Identifier"`
	MediaType               *MediaType     `avp:"Media-Type"`
	MaxRequestedUL          *uint32        `avp:"Max-Requested-Bandwidth-UL"`
	MaxRequestedDL          *uint32        `avp:"Max-Requested-Bandwidth-DL"`
	MaxSupportedUL          *uint32        `avp:"Max-Supported-Bandwidth-UL"`
	MaxSupportedDL          *uint32        `avp:"Max-Supported-Bandwidth-DL"`
	MinDesiredUL            *uint32        `avp:"Min-Desired-Bandwidth-UL"`
	MinDesiredDL            *uint32        `avp:"Min-Desired-Bandwidth-DL"`
	MinRequestedUL          *uint32        `avp:"Min-Requested-Bandwidth-UL"`
	MinRequestedDL          *uint32        `avp:"Min-Requested-Bandwidth-DL"`
	FlowStatus              *FlowStatus    `avp:"Flow-Status"`
	PrioritySharing         *uint32        `avp:"Priority-Sharing-Indicator"`
	PreemptionCapability    *uint32        `avp:"Pre-emption-Capability"`
	PreemptionVulnerability *uint32        `avp:"Pre-emption-Vulnerability"`
	ReservationPriority     *uint32        `avp:"Reservation-Priority"`
	RSBandwidth             *uint32        `avp:"RS-Bandwidth"`
	RRBandwidth             *uint32        `avp:"RR-Bandwidth"`
	CodecData               []string       `avp:"Codec-Data"` // CodecData
	SharingKeyDL            *uint32        `avp:"Sharing-Key-DL"`
	SharingKeyUL            *uint32        `avp:"Sharing-Key-UL"`
	ContentVersion          *uint64        `avp:"Content-Version"`
}

// SubComponent is Media-Sub-Component (TS 29.214 §5.3.18): flows that are treated alike, those of RTP or those of RTCP. It has at most
// one packet filter for each direction.
type SubComponent struct {
	FlowNumber       uint32              `avp:"Flow-Number,required"`
	FlowDescriptions []string            `avp:"Flow-Description"` // IPFilterRule (RFC 6733 §4.3.1), as FilterRule.String writes it
	FlowStatus       *FlowStatus         `avp:"Flow-Status"`
	FlowUsage        FlowUsage           `avp:"Flow-Usage"`
	MaxRequestedUL   *uint32             `avp:"Max-Requested-Bandwidth-UL"`
	MaxRequestedDL   *uint32             `avp:"Max-Requested-Bandwidth-DL"`
	Signalling       *SignallingProtocol `avp:"AF-Signalling-Protocol"`
	TrafficClass     []byte              `avp:"ToS-Traffic-Class"`
}

// Flows identifies flows of the session (TS 29.214 §5.3.10); without numbers, all of the component.
type Flows struct {
	Component       uint32   `avp:"Media-Component-Number,required"`
	FlowNumbers     []uint32 `avp:"Flow-Number"`
	ContentVersions []uint64 `avp:"Content-Version"`
	FinalUnitAction *uint32  `avp:"Final-Unit-Action"`
	ComponentStatus *uint32  `avp:"Media-Component-Status"`
}

// AcceptableService is Acceptable-Service-Info (TS 29.214 §5.3.24): what the PCRF would have granted.
type AcceptableService struct {
	MediaComponents []MediaComponent `avp:"Media-Component-Description"`
	MaxRequestedDL  *uint32          `avp:"Max-Requested-Bandwidth-DL"`
	MaxRequestedUL  *uint32          `avp:"Max-Requested-Bandwidth-UL"`
}

// AccessNetworkChargingIdentifier is the identifier under which the access network charges flows (TS 29.214 §5.3.3).
type AccessNetworkChargingIdentifier struct {
	Value []byte  `avp:"Access-Network-Charging-Identifier-Value,required"`
	Flows []Flows `avp:"Flows"`
}

// SponsoredConnectivity is Sponsored-Connectivity-Data (TS 29.214 §5.3.27), without its usage AVPs, which IMS does not use.
type SponsoredConnectivity struct {
	Sponsor  string  `avp:"Sponsor-Identity"`
	Provider string  `avp:"Application-Service-Provider-Identity"`
	Action   *uint32 `avp:"Sponsoring-Action"`
}

// CalleeInformation identifies the called party (TS 29.214 §5.3.62).
type CalleeInformation struct {
	CalledParty        string   `avp:"Called-Party-Address"`
	RequestedParties   []string `avp:"Requested-Party-Address"`
	AssertedIdentities []string `avp:"Called-Asserted-Identity"`
}

// MAInformation is information about a multi-access PDU session (TS 29.214 §5.3.67).
type MAInformation struct {
	IPCANType *IPCANType `avp:"IP-CAN-Type"`
	RATType   *RATType   `avp:"RAT-Type"`
	Action    uint32     `avp:"MA-Information-Action"`
}

// SubscriptionID identifies the user (RFC 8506 §8.46).
type SubscriptionID struct {
	Type SubscriptionIDType `avp:"Subscription-Id-Type,required"`
	Data string             `avp:"Subscription-Id-Data,required"`
}

// SupportedFeatures is one feature list (TS 29.229 §6.3.29, TS 29.214 §5.4.1).
type SupportedFeatures struct {
	VendorID      uint32 `avp:"Vendor-Id,required"`
	FeatureListID uint32 `avp:"Feature-List-ID,required"`
	FeatureList   uint32 `avp:"Feature-List,required"`
	Mandatory     bool   `avp:",mandatory"`
}

// UserEquipment is User-Equipment-Info (RFC 8506 §8.49).
type UserEquipment struct {
	Type  uint32 `avp:"User-Equipment-Info-Type,required"` // 0: IMEISV
	Value []byte `avp:"User-Equipment-Info-Value,required"`
}

// AccessInformation says where the UE is and how it is reached, according to the access network (TS 29.214 §4.4.6.7), and why it lost its
// bearers.
type AccessInformation struct {
	UserLocation       []byte            `avp:"3GPP-User-Location-Info"` // TS 29.061 §16.4.7.2
	UserLocationTime   time.Time         `avp:"User-Location-Info-Time"`
	TimeZone           []byte            `avp:"3GPP-MS-TimeZone"`
	ReleaseCauses      [][]byte          `avp:"RAN-NAS-Release-Cause"`
	FiveGReleaseCauses []FiveGCause      `avp:"5GS-RAN-NAS-Release-Cause"`
	PLMN               string            `avp:"3GPP-SGSN-MCC-MNC"`
	NID                []byte            `avp:"NID"`
	TWANIdentifier     []byte            `avp:"TWAN-Identifier"`
	TCPSourcePort      *uint32           `avp:"TCP-Source-Port"`
	UDPSourcePort      *uint32           `avp:"UDP-Source-Port"`
	LocalAddress       netip.Addr        `avp:"UE-Local-IP-Address"`
	NetLocSupport      *uint32           `avp:"NetLoc-Access-Support"` // 0: the network cannot say where the UE is
	Wireline           *WirelineLocation `avp:"Wireline-User-Location-Info"`
}

// FiveGCause is 5GS-RAN-NAS-Release-Cause (TS 29.214 §5.3.69).
type FiveGCause struct {
	MM   *uint32    `avp:"5GMM-Cause"`
	SM   *uint32    `avp:"5GSM-Cause"`
	NGAP *NGAPCause `avp:"NGAP-Cause"`
}

// NGAPCause is NGAP-Cause (TS 29.214 §5.3.72).
type NGAPCause struct {
	Group uint32 `avp:"NGAP-Group,required"`
	Value uint32 `avp:"NGAP-Value,required"`
}

// WirelineLocation is Wireline-User-Location-Info (TS 29.214 §5.3.75).
type WirelineLocation struct {
	HFCNode  []byte  `avp:"HFC-Node-Identifier"`
	GLI      []byte  `avp:"GLI-Identifier"`
	LineType *uint32 `avp:"Line-Type"`
}
