package core

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/test/network"
)

// A search for one IMPI finds registration, call and charge in the logs of all five functions, as docs/logs.md says; and what it finds
// leads to the rest of the call by icid, call_id and session_id.
func TestLogsOfASubscriber(t *testing.T) {
	n := network.Start(t)
	alice, bob := n.Subscribe(1000, ""), n.Subscribe(0, "")
	a, b := n.Registered(alice, nil), n.Registered(bob, nil)
	answered := n.Answering(b)

	call, err := a.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatal(err)
	}

	other := <-answered
	if err := call.HangUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-other.Ended()

	impi := regexp.QuoteMeta(alice.IMSI + "@" + network.Domain)
	lines := func(function, pattern string) []string {
		return regexp.MustCompile("(?m)^.*level=INFO .*"+pattern+".*$").FindAllString(n.Log(function), -1)
	}

	for _, want := range []struct{ function, message string }{
		{"pcscf", "registered"},
		{"pcscf", "call begun"},
		{"pcscf", "call ended"},
		{"icscf", "S-CSCF chosen for a registration"},
		{"scscf", "REGISTER accepted"},
		{"scscf", "charging session begun"},
		{"scscf", "charging session ended"},
		{"hss", "registration served"},
		{"ocs", "charging session begun"},
		{"ocs", "charging session ended"},
	} {
		n.Await(fmt.Sprintf("%q with the IMPI in the log of %s", want.message, want.function), func() bool {
			return len(lines(want.function, `msg="?`+want.message+`"? .*impi=`+impi+`\b`)) > 0
		})
	}

	value := func(function, message, key string) string {
		found := lines(function, `msg="`+message+`" .*impi=`+impi+`\b`)
		_, after, _ := strings.Cut(found[0], " "+key+"=")
		text, _, _ := strings.Cut(after, " ")

		return text
	}

	for _, joined := range []struct{ key, function, message string }{
		{"icid", "pcscf", "call begun"},
		{"icid", "scscf", "charging session begun"},
		{"call_id", "pcscf", "call begun"},
		{"call_id", "scscf", "charging session begun"},
		{"session_id", "scscf", "charging session begun"},
	} {
		got, want := value(joined.function, joined.message, joined.key), value("ocs", "charging session begun", joined.key)
		if got == "" || got != want {
			t.Errorf("%s of %s is %q, and %q at the OCS", joined.key, joined.function, got, want)
		}
	}

	icid := value("ocs", "charging session begun", "icid")
	if len(lines("icscf", `msg="S-CSCF chosen for a request" .*icid=`+icid+`\b`)) == 0 {
		t.Errorf("the I-CSCF has no line with the icid %s of the call", icid)
	}

	for _, function := range []string{"pcscf", "icscf", "scscf", "hss", "ocs"} {
		if log := strings.ToLower(n.Log(function)); strings.Contains(log, network.K) || strings.Contains(log, network.OPc) {
			t.Errorf("the log of %s has the key of a SIM", function)
		}
	}
}
