package overrx

import (
	"strings"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
)

// services is the AF-Application-Identifier if there is no ICSI.
const services = "IMS Services"

// request returns the AAR for what a call leg needs (TS 29.214 §4.4.1, §5.6.1).
func (c *Config) request(q *bearer.Request) *rx.AAR {
	kind := rx.Initial
	if q.Update {
		kind = rx.Update
	}

	a := &rx.AAR{
		ApplicationIdentifier: services,
		ServiceInfoStatus:     new(rx.FinalServiceInformation), // an answer has been given
		ChargingIdentifier:    q.Leg.ICID,
		SpecificActions:       []rx.SpecificAction{rx.LossOfBearer, rx.ReleaseOfBearer, rx.FailedAllocation},
		SubscriptionIDs:       subscription(q.Leg.Identity),
		SupportedFeatures:     rx.Features(rx.FeatureRel8 | rx.FeatureRel9),
		CalledStationID:       c.APN,
		ServiceURN:            q.Leg.ServiceURN,
		RequestType:           &kind,
	}
	a.SessionID, a.DestinationRealm, a.DestinationHost = q.ID, c.Realm, q.Server

	if a.DestinationHost == "" {
		a.DestinationHost = c.Host
	}

	if q.Leg.Service != "" {
		a.ApplicationIdentifier = q.Leg.Service
	}

	if q.Leg.Forked {
		a.SIPForking = new(rx.SeveralDialogues)
	}

	if c.Location { // TS 29.214 §4.4.6.7
		a.RequiredAccessInfo = []rx.RequiredAccessInfo{rx.UserLocation, rx.TimeZone}
		a.SupportedFeatures = rx.Features(rx.FeatureRel8 | rx.FeatureRel9 | rx.FeatureNetworkLocation)
	}

	if q.Leg.Signalling != "" { // TS 29.214 §4.4.5: nothing is negotiated, and the access network is told of
		a.ServiceInfoStatus = nil
		a.SpecificActions = []rx.SpecificAction{rx.LossOfBearer, rx.ReleaseOfBearer, rx.IPCANChange}
	}

	if c.Location {
		a.SpecificActions = append(a.SpecificActions, rx.AccessNetworkInfoReport)
	}

	if ue := q.Leg.UE.Unmap(); ue.Is4() {
		a.FramedIPAddress = rx.FramedIPv4(ue)
	} else {
		a.FramedIPv6Prefix = rx.FramedIPv6(ue.WithZone(""))
	}

	for i := range q.Components {
		a.MediaComponents = append(a.MediaComponents, component(&q.Components[i]))
	}

	return a
}

// subscription returns the user's identity, for PCRFs that want it.
func subscription(identity string) []rx.SubscriptionID {
	switch {
	case identity == "":
		return nil
	case strings.HasPrefix(identity, "tel:+"):
		number, _, _ := strings.Cut(identity[len("tel:+"):], ";")
		return []rx.SubscriptionID{{Type: rx.E164, Data: number}}
	default:
		return []rx.SubscriptionID{{Type: rx.SIPURI, Data: identity}}
	}
}

var kinds = map[media.Kind]rx.MediaType{
	media.Audio: rx.Audio, media.Video: rx.Video, media.Data: rx.Data, media.Application: rx.ApplicationMedia, media.Control: rx.Control,
	media.Text: rx.Text, media.Message: rx.Message, media.Other: rx.Other,
}

var statuses = map[media.Status]rx.FlowStatus{
	media.EnabledUplink: rx.EnabledUplink, media.EnabledDownlink: rx.EnabledDownlink, media.Enabled: rx.Enabled,
	media.Disabled: rx.Disabled, media.Removed: rx.Removed,
}

func component(c *media.Component) rx.MediaComponent {
	m := rx.MediaComponent{
		Number:         c.Number,
		MediaType:      new(kinds[c.Kind]),
		FlowStatus:     new(statuses[c.Status]),
		MaxRequestedUL: c.Uplink,
		MaxRequestedDL: c.Downlink,
		RSBandwidth:    c.RS,
		RRBandwidth:    c.RR,
		CodecData:      c.CodecData(),
	}

	for _, f := range c.Flows {
		if f.Signalling { // TS 29.214 §4.4.5: no more than that it is
			return rx.MediaComponent{
				Number: c.Number, MediaType: new(kinds[c.Kind]), SubComponents: []rx.SubComponent{{FlowUsage: rx.AFSignalling}},
			}
		}

		s := rx.SubComponent{
			FlowNumber:       f.Number,
			FlowDescriptions: f.Descriptions(),
		}

		if f.RTCP {
			s.FlowUsage = rx.RTCP

			if c.Status != media.Enabled { // RTCP passes in all directions of RTP (TS 29.214 §5.3.11)
				s.FlowStatus = new(rx.Enabled)
			}
		}

		m.SubComponents = append(m.SubComponents, s)
	}

	return m
}
