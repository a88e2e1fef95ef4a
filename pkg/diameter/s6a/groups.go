package s6a

import "net/netip"

// RequestedAuthentication is Requested-EUTRAN-Authentication-Info, and the same for UTRAN and GERAN (TS 29.272 §7.3.11, §7.3.12).
type RequestedAuthentication struct {
	Vectors           uint32  `avp:"Number-Of-Requested-Vectors"`
	Immediate         *uint32 `avp:"Immediate-Response-Preferred"`
	Resynchronisation []byte  `avp:"Re-Synchronization-Info"` // RAND||AUTS
}

// Authentication is Authentication-Info (TS 29.272 §7.3.17).
type Authentication struct {
	EUTRAN []EUTRANVector `avp:"E-UTRAN-Vector"`
}

// EUTRANVector is one vector (TS 29.272 §7.3.18).
type EUTRANVector struct {
	ItemNumber *uint32 `avp:"Item-Number"` // in the order of use, if there are several
	RAND       []byte  `avp:"RAND,required"`
	XRES       []byte  `avp:"XRES,required"`
	AUTN       []byte  `avp:"AUTN,required"`
	KASME      []byte  `avp:"KASME,required"`
}

// Terminal is Terminal-Information (TS 29.272 §7.3.3).
type Terminal struct {
	IMEI            string `avp:"IMEI"`
	SoftwareVersion string `avp:"Software-Version"`
}

// SubscriptionData is the subscription data that the MME gets of a user (TS 29.272 §7.3.2). MMEs drop an answer without AMBR or APN
// profile.
type SubscriptionData struct {
	SubscriberStatus  *uint32            `avp:"Subscriber-Status"` // 0: service granted
	MSISDN            []byte             `avp:"MSISDN"`            // TBCD
	NetworkAccessMode *uint32            `avp:"Network-Access-Mode"`
	AccessRestriction *AccessRestriction `avp:"Access-Restriction-Data"`
	AMBR              *AMBR              `avp:"AMBR"`
	Zones             [][]byte           `avp:"Regional-Subscription-Zone-Code"`               // only for an MME with that feature
	RoamingRestricted *uint32            `avp:"Roaming-Restricted-Due-To-Unsupported-Feature"` // 0: for one without it
	Profile           APNProfile         `avp:"APN-Configuration-Profile,required"`
}

// AMBR is the aggregate maximum bit rate, in bit/s (TS 29.272 §7.3.41).
type AMBR struct {
	Uplink   uint32 `avp:"Max-Requested-Bandwidth-UL,required"`
	Downlink uint32 `avp:"Max-Requested-Bandwidth-DL,required"`
}

// APNProfile is APN-Configuration-Profile (TS 29.272 §7.3.34).
type APNProfile struct {
	Default     uint32             `avp:"Context-Identifier,required"`
	AllIncluded uint32             `avp:"All-APN-Configurations-Included-Indicator,required"` // 0: these are all that there are
	APNs        []APNConfiguration `avp:"APN-Configuration"`                                  // at least one
}

// APNConfiguration is APN-Configuration (TS 29.272 §7.3.35).
type APNConfiguration struct {
	ContextIdentifier uint32       `avp:"Context-Identifier,required"` // from 1
	Addresses         []netip.Addr `avp:"Served-Party-IP-Address"`     // static ones, at most one of each family
	PDNType           PDNType      `avp:"PDN-Type,required"`
	Name              string       `avp:"Service-Selection,required"` // APN network identifier
	QoS               QoSProfile   `avp:"EPS-Subscribed-QoS-Profile,required"`
	AMBR              *AMBR        `avp:"AMBR"`
	PGW               *PGW         `avp:"MIP6-Agent-Info"`            // that is in use, or nil
	Allocation        *uint32      `avp:"PDN-GW-Allocation-Type"`     // of PGW; 1: dynamic
	VisitedNetwork    string       `avp:"Visited-Network-Identifier"` // of PGW
}

// PGW is MIP6-Agent-Info (TS 29.272 §7.3.45, RFC 5447 §4.2.1): the PDN gateway of a connection, by address or by name.
type PGW struct {
	Addresses []netip.Addr `avp:"MIP-Home-Agent-Address"`
	Host      *PGWHost     `avp:"MIP-Home-Agent-Host"`
}

// PGWHost is MIP-Home-Agent-Host (TS 29.272 §7.3.42, RFC 4004 §7.11).
type PGWHost struct {
	Realm string `avp:"Destination-Realm,required"`
	Host  string `avp:"Destination-Host,required"`
}

// QoSProfile is EPS-Subscribed-QoS-Profile (TS 29.272 §7.3.37).
type QoSProfile struct {
	QCI uint32 `avp:"QoS-Class-Identifier,required"`
	ARP ARP    `avp:"Allocation-Retention-Priority,required"`
}

// ARP is Allocation-Retention-Priority (TS 29.212 §5.3.32). Both pre-emption values are always sent, because the two defaults of the
// specification differ.
type ARP struct {
	Priority      uint32  `avp:"Priority-Level,required"`   // 1, the highest, to 15
	Capability    *uint32 `avp:"Pre-emption-Capability"`    // 0: may take the resources of others
	Vulnerability *uint32 `avp:"Pre-emption-Vulnerability"` // 0: others may take its resources
}
