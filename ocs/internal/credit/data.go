package credit

import (
	"strings"
	"unicode/utf8"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

const (
	maxSessionID = 2048 // octets; an index of PostgreSQL takes 2704
	maxText      = 16 << 10
)

// storable refuses what not every database can store, so that all refuse the same: invalid characters, NUL, and excessive lengths.
func storable(q *ro.CCR) *refusal {
	info := information(q)

	method := ""
	if info.EventType != nil {
		method = info.EventType.SIPMethod
	}

	for _, field := range []struct {
		name, value string
		failed      func(*FailedAVP, string)
	}{
		{"Session-Id", q.SessionID, func(f *FailedAVP, s string) { f.SessionID = s }},
		{"Origin-Host", q.OriginHost, func(f *FailedAVP, s string) { f.OriginHost = s }},
		{"Origin-Realm", q.OriginRealm, func(f *FailedAVP, s string) { f.OriginRealm = s }},
		{"Service-Context-Id", q.ServiceContextID, func(f *FailedAVP, s string) { f.ServiceContextID = s }},
		{"SIP-Method", method, func(f *FailedAVP, s string) { f.SIPMethod = s }},
		{"Called-Party-Address", info.CalledPartyAddress, func(f *FailedAVP, s string) { f.CalledPartyAddress = s }},
		{"Calling-Party-Address", first(info.CallingPartyAddresses), func(f *FailedAVP, s string) { f.CallingPartyAddress = s }},
		{"IMS-Charging-Identifier", info.IMSChargingIdentifier, func(f *FailedAVP, s string) { f.IMSChargingIdentifier = s }},
		{"User-Session-Id", info.UserSessionID, func(f *FailedAVP, s string) { f.UserSessionID = s }},
	} {
		if isText(field.value, maxText) && (field.name != "Session-Id" || len(field.value) <= maxSessionID) {
			continue
		}

		failed := new(FailedAVP)
		field.failed(failed, field.value)

		return &refusal{ro.InvalidAVPValue, field.name + " is no text that can be kept", failed}
	}

	for _, id := range subscriptions(q) {
		if !isText(id.Data, maxText) {
			return &refusal{ro.InvalidAVPValue, "Subscription-Id is no text that can be kept", &FailedAVP{Subscription: &id}}
		}
	}

	return nil
}

func isText(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && !strings.Contains(s, "\x00")
}
