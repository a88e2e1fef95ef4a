// Package npcf has the data of Npcf_PolicyAuthorization (TS 29.514 §5.6), the PCF's service on N5, as far as IMS uses it.
package npcf

import "github.com/dialtone-ims/dialtone/pkg/sbi"

// Service is the service, Collection the path of the application sessions below the root of the API (TS 29.514 §5.1, §5.3.1).
const (
	Service    = "npcf-policyauthorization"
	Collection = "/" + Service + "/v1/app-sessions"
)

// MergePatch is the media type of a change (RFC 7396).
const MergePatch = "application/merge-patch+json"

// Paths below the URI of a session, or below the one that notifications are sent to (TS 29.514 §5.3.3.4.2, §5.5.2, §5.5.3).
const (
	Delete    = "/delete"
	Terminate = "/terminate"
	Notify    = "/notify"
)

// AppSessionContext is an application session (TS 29.514 §5.6.2.2).
type AppSessionContext struct {
	Request *AppSessionContextReqData `json:"ascReqData,omitempty"`
	Events  *EventsNotification       `json:"evsNotif,omitempty"` // in an answer: what is known at once
}

// AppSessionContextReqData is what a session needs (TS 29.514 §5.6.2.3), or what changes in it (§5.6.2.5).
type AppSessionContextReqData struct {
	ApplicationID      string                     `json:"afAppId,omitempty"`
	ChargingID         string                     `json:"afChargId,omitempty"`
	DNN                string                     `json:"dnn,omitempty"`
	EventsSubscription *EventsSubscReqData        `json:"evSubsc,omitempty"`
	MediaComponents    map[string]*MediaComponent `json:"medComponents,omitempty"` // by their numbers
	ServiceInfoStatus  string                     `json:"servInfStatus,omitempty"`
	NotificationURI    string                     `json:"notifUri,omitempty"`
	ServiceURN         string                     `json:"servUrn,omitempty"`
	SIPForking         string                     `json:"sipForkInd,omitempty"`
	GPSI               string                     `json:"gpsi,omitempty"`
	SupportedFeatures  string                     `json:"suppFeat,omitempty"`
	IPv4               string                     `json:"ueIpv4,omitempty"`
	IPv6               string                     `json:"ueIpv6,omitempty"`
}

// Values of servInfStatus and sipForkInd (TS 29.514 §5.6.3.12, §5.6.3.13).
const (
	Final            = "FINAL"
	SeveralDialogues = "SEVERAL_DIALOGUES"
)

// MediaComponent is one m-line (TS 29.514 §5.6.2.7).
type MediaComponent struct {
	Number        uint32                        `json:"medCompN"`
	Type          string                        `json:"medType"`
	Status        string                        `json:"fStatus,omitempty"`
	Uplink        string                        `json:"marBwUl,omitempty"` // "38 Kbps"
	Downlink      string                        `json:"marBwDl,omitempty"`
	RS            string                        `json:"rsBw,omitempty"`
	RR            string                        `json:"rrBw,omitempty"`
	Codecs        []string                      `json:"codecs,omitempty"`
	SubComponents map[string]*MediaSubComponent `json:"medSubComps,omitempty"` // by their numbers
}

// MediaSubComponent are flows that are treated alike (TS 29.514 §5.6.2.8).
type MediaSubComponent struct {
	Number       uint32   `json:"fNum"`
	Descriptions []string `json:"fDescs,omitempty"`
	Status       string   `json:"fStatus,omitempty"`
	Usage        string   `json:"flowUsage,omitempty"`
}

// Values of flowUsage (TS 29.514 §5.6.3.14).
const (
	RTCP         = "RTCP"
	AFSignalling = "AF_SIGNALLING"
)

// EventsSubscReqData lists the events that the PCF is to report (TS 29.514 §5.6.2.6).
type EventsSubscReqData struct {
	Events             []EventSubscription `json:"events"`
	NotificationURI    string              `json:"notifUri,omitempty"`
	RequiredAccessInfo []string            `json:"reqAnis,omitempty"`
}

// Values of reqAnis (TS 29.514 §5.6.3.21).
const (
	AccessUserLocation = "USER_LOCATION"
	AccessUETimeZone   = "UE_TIME_ZONE"
)

// EventSubscription is the subscription to one event (TS 29.514 §5.6.2.10).
type EventSubscription struct {
	Event string `json:"event"`
}

// Events (TS 29.514 §5.6.3.7).
const (
	AccessTypeChange          = "ACCESS_TYPE_CHANGE"
	AccessInformationReport   = "ANI_REPORT"
	FailedResourcesAllocation = "FAILED_RESOURCES_ALLOCATION"
)

// ResourcesActive is the mcResourcStatus of a component that has its resources (TS 29.514 §5.6.3.8).
const ResourcesActive = "ACTIVE"

// PDUSessionNotAvailable is a cause of problems (TS 29.514 §5.7.3).
const PDUSessionNotAvailable = "PDU_SESSION_NOT_AVAILABLE"

// EventsNotification reports events (TS 29.514 §5.6.2.12).
type EventsNotification struct {
	Subscription string                    `json:"evSubsUri"`
	Events       []EventNotification       `json:"evNotifs"`
	Failed       []ResourcesAllocationInfo `json:"failedResourcAllocReports,omitempty"`
	AccessType   string                    `json:"accessType,omitempty"`
	RATType      string                    `json:"ratType,omitempty"`
	Location     *UserLocation             `json:"ueLoc,omitempty"`
	TimeZone     string                    `json:"ueTimeZone,omitempty"`
	NoLocation   string                    `json:"noNetLocSupp,omitempty"` // why there is none: "ANR_NOT_SUPPORTED"
}

// EventNotification is one event (TS 29.514 §5.6.2.11).
type EventNotification struct {
	Event string  `json:"event"`
	Flows []Flows `json:"flows,omitempty"`
}

// ResourcesAllocationInfo says which flows have resources, or have none (TS 29.514 §5.6.2.14).
type ResourcesAllocationInfo struct {
	Status string  `json:"mcResourcStatus"`
	Flows  []Flows `json:"flows,omitempty"`
}

// Flows identifies flows of a component (TS 29.514 §5.6.2.21).
type Flows struct {
	Component uint32   `json:"medCompN"`
	Numbers   []uint32 `json:"fNums,omitempty"`
}

// TerminationInfo asks for the end of a session, from the PCF (TS 29.514 §5.6.2.15).
type TerminationInfo struct {
	Cause    string `json:"termCause"`
	Resource string `json:"resUri"`
}

// ProblemDetails says why a request is refused (TS 29.514 §5.7).
type ProblemDetails = sbi.ProblemDetails
