package charging

import (
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Call is the description of a session or event for the OCS.
type Call struct {
	Role           ro.RoleOfNode       `json:"role"`
	Method         string              `json:"method"`
	Event          string              `json:"event,omitempty"`   // Event header
	Expires        *uint32             `json:"expires,omitempty"` // Expires header, seconds
	CallID         string              `json:"call_id"`
	ICID           string              `json:"icid"`
	Subscriber     []ro.SubscriptionID `json:"subscriber"`
	Private        string              `json:"private"`
	Calling        []string            `json:"calling"`
	Called         string              `json:"called"`
	Requested      string              `json:"requested"` // the number as dialled
	OriginatingIOI string              `json:"originating_ioi,omitempty"`
	TerminatingIOI string              `json:"terminating_ioi,omitempty"`
	Servers        []string            `json:"servers,omitempty"` // application servers in the path
	Access         string              `json:"access,omitempty"`  // P-Access-Network-Info
}

// Bounds of a CCR's content, below what any Diameter node takes: nobody must be able to cause one that the OCS refuses for its size.
const (
	maxCalled = 2 << 10
	maxCall   = 16 << 10
)

// tooLong refuses a request whose description is too large for the OCS.
func (c *Call) tooLong() *sip.Refusal {
	size := len(c.Method) + len(c.Event) + len(c.CallID) + len(c.ICID) + len(c.Private) + len(c.Called) + len(c.Requested) +
		len(c.OriginatingIOI) + len(c.TerminatingIOI) + len(c.Access)
	for _, text := range slices.Concat(c.Calling, c.Servers) {
		size += len(text)
	}

	switch {
	case len(c.Called) > maxCalled:
		return sip.Refuse(414, "the Request-URI is longer than can be charged for")
	case size > maxCall:
		return sip.Refuse(513, "the header fields are longer than can be charged for")
	default:
		return nil
	}
}

// event returns the Event-Type of the request that a call or message begins with (TS 32.299 §7.2.50).
func (c *Call) event() *ro.EventType {
	return &ro.EventType{SIPMethod: c.Method, Event: c.Event, Expires: c.Expires}
}

func information(call *Call, event *ro.EventType) *ro.ServiceInformation {
	role := call.Role
	ims := &ro.IMSInformation{
		EventType: event, RoleOfNode: &role, NodeFunctionality: ro.NodeSCSCF,
		UserSessionID: call.CallID, CallingPartyAddresses: call.Calling, CalledPartyAddress: call.Called,
		IMSChargingIdentifier: call.ICID,
	}

	if call.Requested != "" && call.Requested != call.Called {
		ims.RequestedPartyAddresses = []string{call.Requested}
	}

	if call.OriginatingIOI != "" || call.TerminatingIOI != "" {
		ims.InterOperatorIdentifiers = []ro.InterOperatorIdentifier{{Originating: call.OriginatingIOI, Terminating: call.TerminatingIOI}}
	}

	for _, server := range call.Servers {
		ims.ApplicationServers = append(ims.ApplicationServers, ro.ApplicationServerInfo{Server: server})
	}

	if call.Access != "" {
		ims.AccessNetworkInformation = [][]byte{[]byte(call.Access)}
	}

	return &ro.ServiceInformation{IMS: ims}
}
