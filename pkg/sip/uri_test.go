package sip

import "testing"

func TestSameURI(t *testing.T) {
	for _, test := range []struct {
		clause, a, b string
		same         bool
	}{
		{"RFC 3261 §19.1.4", "sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true},
		{"RFC 3261 §19.1.4", "sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on", true},
		{"RFC 3261 §19.1.4", "sip:a@b?subject=x&priority=u", "sip:a@b?priority=u&Subject=x", true},
		{"RFC 3261 §19.1.4", "sip:a@b?subject=x", "sip:a@b", false},
		{"RFC 3261 §19.1.4", "sip:a@b?subject=x&subject=y", "sip:a@b?subject=x&priority=y", false},
		{"RFC 3261 §19.1.4", "SIP:ALICE@AtLanTa.CoM", "sip:alice@AtLanTa.CoM", false},
		{"RFC 3261 §19.1.4", "sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"RFC 3261 §19.1.4", "sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"RFC 3261 §19.1.4, reserved characters", "sip:a%2Fb@c", "sip:a/b@c", false},
		{"RFC 3261 §19.1.4, reserved characters", "sip:a%2fb@c", "sip:a%2Fb@c", true},
		{"RFC 3261 §19.1.4, reserved characters", "sip:%2B1@c", "sip:+1@c", false},
		{"RFC 5954 §4.2", "sip:a@[2001:db8::1]:5060", "sip:a@[2001:DB8:0:0:0:0:0:1]:5060", true},
		{"RFC 5954 §4.2", "sip:a@[2001:db8::1]:5060", "sip:a@[2001:db8::2]:5060", false},
		{"RFC 3966 §4", "tel:+1-555-0001", "TEL:+15550001", true},
		{"RFC 3966 §4", "tel:15550001;phone-context=home", "tel:15550001;phone-context=HOME", true},
		{"RFC 3966 §4", "tel:15550001;phone-context=home", "tel:15550001;phone-context=away", false},
	} {
		if got := SameURI(test.a, test.b); got != test.same {
			t.Errorf("%s: %s and %s are the same: %t", test.clause, test.a, test.b, got)
		}
	}
}
