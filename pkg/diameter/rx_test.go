package diameter_test

import (
	"net/netip"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
)

// rxMessages returns the messages of Rx.
func rxMessages(answer func(diameter.Result) cx.AnswerHeader) map[string]diameter.Commander {
	return map[string]diameter.Commander{
		"Rx-AAR": &rx.AAR{
			RequestHeader:         request(),
			ApplicationIdentifier: "urn:urn-7:3gpp-service.ims.icsi.mmtel",
			MediaComponents: []rx.MediaComponent{{
				Number: 1,
				SubComponents: []rx.SubComponent{
					{FlowNumber: 1, FlowDescriptions: []string{
						"permit out 17 from 192.0.2.1 to 10.45.0.2 50000",
						"permit in 17 from 10.45.0.2 to 192.0.2.1 40000",
					}},
					{
						FlowNumber:       2,
						FlowDescriptions: []string{"permit in 17 from 10.45.0.2 to 192.0.2.1 40001"},
						FlowUsage:        rx.RTCP,
					},
				},
				MediaType:      new(rx.Audio),
				MaxRequestedUL: ptr[uint32](41000),
				MaxRequestedDL: ptr[uint32](41000),
				FlowStatus:     new(rx.EnabledUplink),
				RSBandwidth:    ptr[uint32](0),
				RRBandwidth:    ptr[uint32](2000),
				CodecData: []string{
					rx.CodecData{Uplink: true, Stage: "offer", Lines: []string{"m=audio 50000 RTP/AVP 0"}}.String(),
				},
			}},
			ServiceInfoStatus:   new(rx.FinalServiceInformation),
			ChargingIdentifier:  "icid",
			SIPForking:          new(rx.SeveralDialogues),
			SpecificActions:     []rx.SpecificAction{rx.LossOfBearer, rx.ReleaseOfBearer},
			SubscriptionIDs:     []rx.SubscriptionID{{Type: rx.SIPURI, Data: "sip:user@example"}},
			SupportedFeatures:   rx.Features(rx.FeatureRel8 | rx.FeatureRel9),
			ReservationPriority: ptr[uint32](15),
			FramedIPAddress:     rx.FramedIPv4(netip.MustParseAddr("10.45.0.2")),
			FramedIPv6Prefix:    rx.FramedIPv6(netip.MustParseAddr("2001:db8::2")),
			CalledStationID:     "ims",
			ServiceURN:          "sos.fire",
			RequestType:         new(rx.Initial),
			RequiredAccessInfo:  []rx.RequiredAccessInfo{rx.UserLocation},
		},
		"Rx-AAA": &rx.AAA{
			AnswerHeader: answer(rx.IPCANSessionNotAvailable).AnswerHeader,
			IPCANType:    new(rx.EPS), RATType: new(rx.EUTRAN), RetryInterval: 60,
			Classes: [][]byte{[]byte("class")},
		},
		"Rx-RAR": &rx.RAR{
			RequestHeader:     request(),
			SpecificActions:   []rx.SpecificAction{rx.LossOfBearer},
			Flows:             []rx.Flows{{Component: 1, FlowNumbers: []uint32{1, 2}}},
			AbortCause:        new(rx.InsufficientBearerResources),
			AccessInformation: rx.AccessInformation{PLMN: "00101", ReleaseCauses: [][]byte{{0x10, 36}}},
		},
		"Rx-RAA": &rx.RAA{AnswerHeader: answer(rx.Success).AnswerHeader},
		"Rx-STR": &rx.STR{RequestHeader: request(), Cause: rx.Logout},
		"Rx-STA": &rx.STA{AnswerHeader: answer(rx.UnknownSessionID).AnswerHeader},
		"Rx-ASR": &rx.ASR{RequestHeader: request(), AbortCause: new(rx.BearerReleased)},
		"Rx-ASA": &rx.ASA{AnswerHeader: answer(rx.Success).AnswerHeader},
	}
}
