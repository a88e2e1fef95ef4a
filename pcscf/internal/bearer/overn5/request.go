package overn5

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
)

const (
	services  = "IMS Services" // afAppId if there is no ICSI
	features  = "10"           // IMS_SBI, the fifth of TS 29.514 §5.8
	withPlace = "30"           // and NetLoc, the sixth
)

// create returns the body that creates a session (TS 29.514 §4.2.2.2).
func (p *PCF) create(q *bearer.Request) *npcf.AppSessionContextReqData {
	r := p.change(q)
	r.DNN, r.NotificationURI, r.SupportedFeatures = p.config.DNN, p.notificationURI(q.ID), features
	r.ChargingID, r.ServiceURN = q.Leg.ICID, q.Leg.ServiceURN

	events := []npcf.EventSubscription{{Event: npcf.FailedResourcesAllocation}}
	if q.Leg.Signalling != "" {
		events = append(events, npcf.EventSubscription{Event: npcf.AccessTypeChange})
	}

	if p.config.Location {
		events = append(events, npcf.EventSubscription{Event: npcf.AccessInformationReport})
		r.SupportedFeatures = withPlace
	}

	r.EventsSubscription = &npcf.EventsSubscReqData{Events: events, NotificationURI: p.notificationURI(q.ID) + npcf.Notify}

	if p.config.Location { // TS 29.514 §4.2.2.10
		r.EventsSubscription.RequiredAccessInfo = []string{npcf.AccessUserLocation, npcf.AccessUETimeZone}
	}

	if number, found := strings.CutPrefix(q.Leg.Identity, "tel:+"); found {
		number, _, _ = strings.Cut(number, ";")
		r.GPSI = "msisdn-" + number
	}

	if ue := q.Leg.UE.Unmap(); ue.Is4() {
		r.IPv4 = ue.String()
	} else {
		r.IPv6 = ue.WithZone("").String()
	}

	return r
}

// change returns the body that changes a session (TS 29.514 §4.2.3.2): Open5GS takes each component as complete, and leaves those not
// listed as they are.
func (p *PCF) change(q *bearer.Request) *npcf.AppSessionContextReqData {
	r := &npcf.AppSessionContextReqData{ApplicationID: services, MediaComponents: map[string]*npcf.MediaComponent{}}

	if q.Leg.Service != "" {
		r.ApplicationID = q.Leg.Service
	}

	if q.Leg.Signalling == "" {
		r.ServiceInfoStatus = npcf.Final
	}

	if q.Leg.Forked {
		r.SIPForking = npcf.SeveralDialogues
	}

	for i := range q.Components {
		c := component(&q.Components[i])
		r.MediaComponents[strconv.FormatUint(uint64(c.Number), 10)] = c
	}

	return r
}

// component returns a component in the words of package media, which are those of the specification.
func component(c *media.Component) *npcf.MediaComponent {
	m := &npcf.MediaComponent{
		Number:   c.Number,
		Type:     string(c.Kind),
		Status:   string(c.Status),
		Uplink:   rate(c.Uplink),
		Downlink: rate(c.Downlink),
		RS:       rate(c.RS),
		RR:       rate(c.RR),
		Codecs:   c.CodecData(),
	}

	if len(c.Flows) > 0 {
		m.SubComponents = map[string]*npcf.MediaSubComponent{}
	}

	for i := range c.Flows {
		f := &c.Flows[i]
		s := &npcf.MediaSubComponent{Number: f.Number}

		switch {
		case f.Signalling: // no more than that it is
			s.Usage, m.Status = npcf.AFSignalling, ""
		case f.RTCP:
			s.Usage, s.Descriptions = npcf.RTCP, f.Descriptions()

			if c.Status != media.Enabled { // it passes in all directions of RTP
				s.Status = string(media.Enabled)
			}
		default:
			s.Descriptions = f.Descriptions()
		}

		m.SubComponents[strconv.FormatUint(uint64(f.Number), 10)] = s
	}

	return m
}

// rate returns a bandwidth in a form that Open5GS reads; nothing is rounded.
func rate(bits *uint32) string {
	if bits == nil {
		return ""
	}

	return fmt.Sprintf("%d Kbps", (uint64(*bits)+999)/1000)
}
