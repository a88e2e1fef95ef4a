package app

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

// finished waits until the newest push has come to an end.
func (h *hss) finished() provisioning.Push {
	h.Helper()

	var list provisioning.PushList

	eventually(h.T, "the push has ended", func() bool {
		h.api("GET", "/pushes", nil, &list)
		return len(list.Pushes) > 0 && list.Pushes[0].State != subscriber.PushPending
	})

	return list.Pushes[0]
}

// A list with more items says so, and links to them (RFC 8288 §3.3).
func TestPushesGoOn(t *testing.T) {
	h := start(t, settings(t))

	for _, user := range []string{"001010000000001", "001010000000002", "001010000000003"} {
		private := h.add(user, "1555000"+user[14:])
		s := connect(t, h, "scscf"+user[14:])
		s.register(private, "sip:"+private)
	}

	h.api("PUT", "/service-profiles/default", voicemail("sip:voicemail.as"), nil)

	next := ""
	client := h.Client
	client.Next = &next

	var found []uint64

	for path := "/pushes?limit=2"; path != ""; path = next {
		var list provisioning.PushList
		if err := client.Do(t.Context(), "GET", path, nil, &list); err != nil {
			t.Fatal(err)
		}

		for _, p := range list.Pushes {
			found = append(found, p.ID)
		}

		want(t, path+" goes on", next != "", len(found) == 2)
	}

	if len(found) != 3 || found[0] <= found[1] || found[1] <= found[2] {
		t.Errorf("pushes %v, want three, the newest first", found)
	}

	for _, wrong := range []string{"0", "x", "-1"} {
		if err := h.Do(t.Context(), "GET", "/pushes?before="+wrong, nil, nil); err == nil || !strings.Contains(err.Error(), "before") {
			t.Errorf("before=%s: %v", wrong, err)
		}
	}
}

func voicemail(server string) provisioning.ServiceProfile {
	return provisioning.ServiceProfile{
		FilterCriteria: []ifc.InitialFilterCriterion{{ApplicationServer: ifc.ApplicationServer{ServerName: server}}},
	}
}

func TestPushProfile(t *testing.T) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	h.add("001010000000002", "15550002") // not registered: nobody to be told
	scscf := connect(t, h, "scscf")
	scscf.register(private, "sip:"+private)

	h.api("PUT", "/service-profiles/default", voicemail("sip:voicemail.as"), nil)
	scscf.pushed(1)
	want(t, "6.2.2: user", scscf.ppr[0].UserName, private)
	if data := string(scscf.ppr[0].UserData); !strings.Contains(data, "sip:voicemail.as") || !strings.Contains(data, "tel:+15550001") {
		t.Errorf("6.2.2: the profile is\n%s", data)
	}
	want(t, "outcome", h.finished().State, subscriber.PushDelivered)

	h.api("PUT", "/subscribers/001010000000001/public-identities/tel:+15550001",
		provisioning.PlacedIdentity{PublicIdentity: provisioning.PublicIdentity{Barred: true, ServiceProfile: "default"}}, nil)
	scscf.pushed(1)
	if data := string(scscf.ppr[1].UserData); !strings.Contains(data, "<BarringIndication>1</BarringIndication>\n   <Identity>tel:+15550001") {
		t.Errorf("after barring the profile is\n%s", data)
	}

	h.api("PUT", "/subscribers/001010000000001/private-identities/"+private+"/keys", provisioning.Authentication{K: op, OPc: opc}, nil)
	h.api("PUT", "/service-profiles/default", voicemail("sip:other.as"), nil)
	scscf.pushed(1)
	want(t, "PPR in all: a new key is nothing to the S-CSCF", len(scscf.ppr), 3)
	want(t, "RTR", len(scscf.rtr), 0)
}

func TestAnswersToPushes(t *testing.T) {
	tests := []struct {
		name     string
		answers  []diameter.Result
		state    subscriber.PushState
		attempts int
		result   string
	}{
		{name: "success", state: subscriber.PushDelivered, attempts: 1, result: "DIAMETER_SUCCESS"},
		{
			name:     "the S-CSCF does not know the user",
			answers:  []diameter.Result{cx.ErrorUserUnknown},
			state:    subscriber.PushDelivered,
			attempts: 1,
			result:   "does not know the user",
		},
		{
			name:     "too much data",
			answers:  []diameter.Result{cx.ErrorTooMuchData},
			state:    subscriber.PushRefused,
			attempts: 1,
			result:   "TOO_MUCH_DATA",
		},
		{
			name:     "data not supported",
			answers:  []diameter.Result{cx.ErrorNotSupportedUserData},
			state:    subscriber.PushRefused,
			attempts: 1,
			result:   "NOT_SUPPORTED_USER_DATA",
		},
		{
			name:     "unable to comply",
			answers:  []diameter.Result{cx.UnableToComply},
			state:    subscriber.PushRefused,
			attempts: 1,
			result:   "UNABLE_TO_COMPLY",
		},
		{
			name:     "too busy, then success",
			answers:  []diameter.Result{diameter.TooBusy, diameter.TooBusy},
			state:    subscriber.PushDelivered,
			attempts: 3,
			result:   "DIAMETER_SUCCESS",
		},
		{
			name:     "too busy for ever",
			answers:  []diameter.Result{diameter.TooBusy, diameter.TooBusy, diameter.TooBusy, diameter.TooBusy, diameter.TooBusy},
			state:    subscriber.PushFailed,
			attempts: 5,
			result:   "3004",
		},
	}

	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	scscf := connect(t, h, "scscf")

	for _, test := range tests {
		for _, command := range []subscriber.PushCommand{subscriber.PPR, subscriber.RTR} {
			t.Run(string(command)+" "+test.name, func(t *testing.T) {
				scscf.register(private, "sip:"+private)
				scscf.mu.Lock()
				scscf.answers = append([]diameter.Result(nil), test.answers...)
				scscf.mu.Unlock()

				if command == subscriber.PPR {
					h.api("PUT", "/service-profiles/default", voicemail("sip:"+t.Name()+".as"), nil)
				} else {
					h.api("DELETE", "/subscribers/001010000000001/registration", nil, nil)
				}

				push := h.finished()
				want(t, "command", push.Command, command)
				want(t, "state", push.State, test.state)
				want(t, "attempts", push.Attempts, test.attempts)
				if !strings.Contains(push.Result, test.result) {
					t.Errorf("result %q, want %q", push.Result, test.result)
				}
				scscf.pushed(test.attempts)
			})
		}
	}
}

func TestRegistrationTermination(t *testing.T) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	public, scscf := "sip:"+private, connect(t, h, "scscf")

	scscf.register(private, public)
	h.api("DELETE", "/subscribers/001010000000001/registration?reason=server_change&info=maintenance", nil, nil)
	scscf.pushed(1)
	want(t, "6.1.3: reason", scscf.rtr[0].Reason, cx.DeregistrationReason{Code: cx.ServerChange, Info: "maintenance"})
	want(
		t,
		"6.1.3: the public identities, for S-CSCFs that go by them",
		scscf.rtr[0].PublicIdentities,
		[]string{public, "sip:+15550001@" + home, "tel:+15550001"},
	)
	want(t, "UAR afterwards", scscf.uar(private, public).Result, cx.FirstRegistration)
	want(t, "the S-CSCF's SAR that crossed the RTR", scscf.sar(cx.UserDeregistration, private, scscfURI, public).Result, cx.Success)

	scscf.register(private, public)
	h.api("DELETE", "/subscribers/001010000000001", nil, nil)
	scscf.pushed(1)
	want(t, "6.1.3: reason of a deletion", scscf.rtr[1].Reason.Code, cx.PermanentTermination)
	want(t, "6.1.3: user", scscf.rtr[1].UserName, private)
	want(t, "6.1.3: public identities of a deletion", len(scscf.rtr[1].PublicIdentities), 3)
	want(t, "UAR afterwards", scscf.uar(private, public).Result, cx.ErrorUserUnknown)
	want(t, "outcome", h.finished().State, subscriber.PushDelivered)
}

func TestWithdrawnIdentities(t *testing.T) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	scscf := connect(t, h, "scscf")
	at := "/subscribers/001010000000001/public-identities/"

	h.api("PUT", at+"sip:second@"+home, provisioning.PlacedIdentity{RegistrationSet: 2}, nil)
	scscf.register(private, "sip:"+private)
	scscf.register(private, "sip:second@"+home)

	h.api("DELETE", at+"sip:second@"+home, nil, nil)
	scscf.pushed(1)
	want(t, "a set withdrawn", scscf.rtr[0].PublicIdentities, []string{"sip:second@" + home})
	want(t, "the other set", scscf.lir("tel:+15550001").ServerName, scscfURI)

	h.api("DELETE", at+"tel:+15550001", nil, nil)
	scscf.pushed(1)
	want(t, "PPR: the set that stayed as it was is not told of", len(scscf.ppr), 1)
	if data := string(scscf.ppr[0].UserData); strings.Contains(data, "tel:") {
		t.Errorf("one of a set withdrawn: the profile is\n%s", data)
	}
}

// A push to an S-CSCF is lost neither with the connection nor with the HSS.
func TestPushesOutliveConnectionsAndProcesses(t *testing.T) {
	c := settings(t)
	c.Push.Attempts = 1000
	h := start(t, c)
	private := h.add("001010000000001", "15550001")
	scscf := connect(t, h, "scscf")
	scscf.register(private, "sip:"+private)

	scscf.stop()
	h.api("DELETE", "/subscribers/001010000000001", nil, nil)

	var list provisioning.PushList
	eventually(t, "it was tried", func() bool {
		h.api("GET", "/pushes", nil, &list)
		return list.Pushes[0].Attempts > 0
	})
	want(t, "state", list.Pushes[0].State, subscriber.PushPending)
	h.stop()

	h = start(t, c)
	scscf = connect(t, h, "scscf")
	scscf.pushed(1)
	want(t, "6.1.3: user", scscf.rtr[0].UserName, private)
	want(t, "outcome", h.finished().State, subscriber.PushDelivered)
}
