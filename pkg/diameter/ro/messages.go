// Package ro implements the Ro application (RFC 8506 over application 4, TS 32.299): typed credit-control messages.
package ro

import (
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

// CCR is Credit-Control-Request, code 272 (RFC 8506 §3.1, TS 32.299 §6.4.2).
type CCR struct {
	diameter.RequestHeader
	ServiceContextID              string                          `avp:"Service-Context-Id,required"`
	Type                          RequestType                     `avp:"CC-Request-Type,required"`
	Number                        uint32                          `avp:"CC-Request-Number,required"`
	UserName                      string                          `avp:"User-Name"`
	SubSessionID                  *uint64                         `avp:"CC-Sub-Session-Id"`
	OriginStateID                 uint32                          `avp:"Origin-State-Id"`
	EventTimestamp                time.Time                       `avp:"Event-Timestamp"`
	Subscriptions                 []SubscriptionID                `avp:"Subscription-Id"`
	SubscriptionExtensions        []SubscriptionIDExtension       `avp:"Subscription-Id-Extension"`
	ServiceIdentifier             *uint32                         `avp:"Service-Identifier"`
	TerminationCause              *uint32                         `avp:"Termination-Cause"`
	RequestedServiceUnit          *ServiceUnit                    `avp:"Requested-Service-Unit"`
	RequestedAction               *RequestedAction                `avp:"Requested-Action"`
	UsedServiceUnits              []ServiceUnit                   `avp:"Used-Service-Unit"`
	MultipleServicesIndicator     *uint32                         `avp:"Multiple-Services-Indicator"`
	MultipleServicesCreditControl []MultipleServicesCreditControl `avp:"Multiple-Services-Credit-Control"`
	CorrelationID                 []byte                          `avp:"CC-Correlation-Id"`
	UserEquipmentInfo             *UserEquipmentInfo              `avp:"User-Equipment-Info"`
	ServiceInformation            *ServiceInformation             `avp:"Service-Information"`
}

// CCA is Credit-Control-Answer (RFC 8506 §3.2, TS 32.299 §6.4.3).
type CCA struct {
	diameter.AnswerHeader
	Type                          RequestType                     `avp:"CC-Request-Type,required"`
	Number                        uint32                          `avp:"CC-Request-Number,required"`
	SessionFailover               *uint32                         `avp:"CC-Session-Failover"`
	GrantedServiceUnit            *ServiceUnit                    `avp:"Granted-Service-Unit"`
	MultipleServicesCreditControl []MultipleServicesCreditControl `avp:"Multiple-Services-Credit-Control"`
	CostInformation               *CostInformation                `avp:"Cost-Information"`
	FinalUnitIndication           *FinalUnitIndication            `avp:"Final-Unit-Indication"`
	CheckBalanceResult            *uint32                         `avp:"Check-Balance-Result"`
	CreditControlFailureHandling  *FailureHandling                `avp:"Credit-Control-Failure-Handling"`
	DirectDebitingFailureHandling *uint32                         `avp:"Direct-Debiting-Failure-Handling"`
	ValidityTime                  *uint32                         `avp:"Validity-Time"` // seconds
	LowBalanceIndication          *uint32                         `avp:"Low-Balance-Indication"`
	RemainingBalance              *Money                          `avp:"Remaining-Balance"`
	ServiceInformation            *ServiceInformation             `avp:"Service-Information"`
}

// MultipleServicesCreditControl is the quota of one rating group or service (RFC 8506 §8.16, TS 32.299 §7.1.9). Result, in answers only,
// is that of this service alone.
type MultipleServicesCreditControl struct {
	Granted             *ServiceUnit         `avp:"Granted-Service-Unit"`
	Requested           *ServiceUnit         `avp:"Requested-Service-Unit"`
	Used                []ServiceUnit        `avp:"Used-Service-Unit"`
	ServiceIdentifiers  []uint32             `avp:"Service-Identifier"`
	RatingGroup         *uint32              `avp:"Rating-Group"`
	ValidityTime        *uint32              `avp:"Validity-Time"` // seconds
	ResultCode          *uint32              `avp:"Result-Code"`
	FinalUnitIndication *FinalUnitIndication `avp:"Final-Unit-Indication"`
	TimeQuotaThreshold  *uint32              `avp:"Time-Quota-Threshold"` // seconds
	QuotaHoldingTime    *uint32              `avp:"Quota-Holding-Time"`   // seconds
	ReportingReasons    []ReportingReason    `avp:"Reporting-Reason"`

	QuotaConsumptionTime *uint32         `avp:"Quota-Consumption-Time"` // seconds
	VolumeQuotaThreshold *uint32         `avp:"Volume-Quota-Threshold"` // octets
	UnitQuotaThreshold   *uint32         `avp:"Unit-Quota-Threshold"`
	PoolReferences       []PoolReference `avp:"G-S-U-Pool-Reference"`
}

// PoolReference says how units that several services share are counted (RFC 8506 §8.30).
type PoolReference struct {
	PoolIdentifier uint32    `avp:"G-S-U-Pool-Identifier,required"`
	UnitType       uint32    `avp:"CC-Unit-Type,required"`
	UnitValue      UnitValue `avp:"Unit-Value,required"`
}

// ServiceUnit is a Requested-, Granted- or Used-Service-Unit; an empty Requested one leaves the size to the OCS.
type ServiceUnit struct {
	ReportingReason      *ReportingReason `avp:"Reporting-Reason"`
	TariffTimeChange     time.Time        `avp:"Tariff-Time-Change"` // in a Granted-Service-Unit
	TariffChangeUsage    *uint32          `avp:"Tariff-Change-Usage"`
	Time                 *uint32          `avp:"CC-Time"` // seconds
	Money                *Money           `avp:"CC-Money"`
	TotalOctets          *uint64          `avp:"CC-Total-Octets"`
	InputOctets          *uint64          `avp:"CC-Input-Octets"`
	OutputOctets         *uint64          `avp:"CC-Output-Octets"`
	ServiceSpecificUnits *uint64          `avp:"CC-Service-Specific-Units"`
}

// Money is CC-Money (RFC 8506 §8.22), and also Remaining-Balance.
type Money struct {
	Value    UnitValue `avp:"Unit-Value,required"`
	Currency *uint32   `avp:"Currency-Code"` // ISO 4217 numeric
}

// UnitValue is Digits x 10^Exponent (RFC 8506 §8.8).
type UnitValue struct {
	Digits   int64  `avp:"Value-Digits,required"`
	Exponent *int32 `avp:"Exponent"`
}

// CostInformation is the cost of a service, charged or estimated (RFC 8506 §8.7).
type CostInformation struct {
	Value    UnitValue `avp:"Unit-Value,required"`
	Currency uint32    `avp:"Currency-Code,required"`
	Unit     string    `avp:"Cost-Unit"`
}

// FinalUnitIndication marks the granted units as the last, and says what to do at their end (RFC 8506 §8.34).
type FinalUnitIndication struct {
	Action             FinalUnitAction `avp:"Final-Unit-Action,required"`
	RestrictionFilters [][]byte        `avp:"Restriction-Filter-Rule"`
	FilterIDs          []string        `avp:"Filter-Id"`
	RedirectServer     *RedirectServer `avp:"Redirect-Server"`
}

// RedirectServer is where a user without credit is sent (RFC 8506 §8.37).
type RedirectServer struct {
	AddressType uint32 `avp:"Redirect-Address-Type,required"`
	Address     string `avp:"Redirect-Server-Address,required"`
}

// SubscriptionID names who pays (RFC 8506 §8.46).
type SubscriptionID struct {
	Type SubscriptionIDType `avp:"Subscription-Id-Type,required"`
	Data string             `avp:"Subscription-Id-Data,required"`
}

// SubscriptionIDExtension names who pays by one of its AVPs (RFC 8506 §8.58), instead of a Subscription-Id.
type SubscriptionIDExtension struct {
	E164    string `avp:"Subscription-Id-E164"`
	IMSI    string `avp:"Subscription-Id-IMSI"`
	SIPURI  string `avp:"Subscription-Id-SIP-URI"`
	NAI     string `avp:"Subscription-Id-NAI"`
	Private string `avp:"Subscription-Id-Private"`
}

// ID returns the equivalent Subscription-Id.
func (e *SubscriptionIDExtension) ID() SubscriptionID {
	switch {
	case e.E164 != "":
		return SubscriptionID{E164, e.E164}
	case e.IMSI != "":
		return SubscriptionID{IMSI, e.IMSI}
	case e.SIPURI != "":
		return SubscriptionID{SIPURI, e.SIPURI}
	case e.NAI != "":
		return SubscriptionID{NAI, e.NAI}
	default:
		return SubscriptionID{Private, e.Private}
	}
}

// UserEquipmentInfo is the handset (RFC 8506 §8.49).
type UserEquipmentInfo struct {
	Type  uint32 `avp:"User-Equipment-Info-Type,required"`
	Value []byte `avp:"User-Equipment-Info-Value,required"`
}

// ServiceInformation is the information specific to one service (TS 32.299 §7.2.192).
type ServiceInformation struct {
	SubscriptionIDs []SubscriptionID `avp:"Subscription-Id"`
	IMS             *IMSInformation  `avp:"IMS-Information"`
}

// IMSInformation describes the session or event (TS 32.299 §7.2.77, TS 32.260 §6.3.1).
type IMSInformation struct {
	EventType                *EventType                `avp:"Event-Type"`
	RoleOfNode               *RoleOfNode               `avp:"Role-Of-Node"`
	NodeFunctionality        NodeFunctionality         `avp:"Node-Functionality,required"`
	UserSessionID            string                    `avp:"User-Session-Id"` // Call-ID
	CallingPartyAddresses    []string                  `avp:"Calling-Party-Address"`
	CalledPartyAddress       string                    `avp:"Called-Party-Address"`
	CalledAssertedIdentities []string                  `avp:"Called-Asserted-Identity"`
	RequestedPartyAddresses  []string                  `avp:"Requested-Party-Address"`
	AssociatedURIs           []string                  `avp:"Associated-URI"`
	TimeStamps               *TimeStamps               `avp:"Time-Stamps"`
	ApplicationServers       []ApplicationServerInfo   `avp:"Application-Server-Information"`
	InterOperatorIdentifiers []InterOperatorIdentifier `avp:"Inter-Operator-Identifier"`
	IMSChargingIdentifier    string                    `avp:"IMS-Charging-Identifier"` // ICID
	AccessNetworkInformation [][]byte                  `avp:"Access-Network-Information"`
	ServiceID                string                    `avp:"Service-Id"`
	CauseCode                *int32                    `avp:"Cause-Code"`

	OutgoingSessionID            string   `avp:"Outgoing-Session-Id"`
	AlternateChargedPartyAddress string   `avp:"Alternate-Charged-Party-Address"`
	CommunicationServiceID       string   `avp:"IMS-Communication-Service-Identifier"` // ICSI
	ApplicationReferenceID       string   `avp:"IMS-Application-Reference-Identifier"` // IARI
	ReasonHeaders                []string `avp:"Reason-Header"`
	EmergencyIndicator           *uint32  `avp:"IMS-Emergency-Indicator"`
	VisitedNetwork               string   `avp:"IMS-Visited-Network-Identifier"`
	InstanceID                   string   `avp:"Instance-Id"`
	TransitIOIs                  []string `avp:"Transit-IOI-List"`
}

// EventType is the SIP request that caused the charging event (TS 32.299 §7.2.50).
type EventType struct {
	SIPMethod string  `avp:"SIP-Method"`
	Event     string  `avp:"Event"`
	Expires   *uint32 `avp:"Expires"` // seconds
}

// TimeStamps are the times of the SIP request and its final response (TS 32.299 §7.2.213).
type TimeStamps struct {
	Request          time.Time `avp:"SIP-Request-Timestamp"`
	Response         time.Time `avp:"SIP-Response-Timestamp"`
	RequestFraction  *uint32   `avp:"SIP-Request-Timestamp-Fraction"`  // milliseconds
	ResponseFraction *uint32   `avp:"SIP-Response-Timestamp-Fraction"` // milliseconds
}

// ApplicationServerInfo is an AS that was in the path (TS 32.299 §7.2.15).
type ApplicationServerInfo struct {
	Server               string   `avp:"Application-Server"`
	CalledPartyAddresses []string `avp:"Application-Provided-Called-Party-Address"`
}

// InterOperatorIdentifier is the orig-ioi and term-ioi of P-Charging-Vector (TS 32.299 §7.2.79).
type InterOperatorIdentifier struct {
	Originating string `avp:"Originating-IOI"`
	Terminating string `avp:"Terminating-IOI"`
}
