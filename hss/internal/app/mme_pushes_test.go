package app

import (
	"slices"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

const attached = "001010000000001"

// located returns the SIM's location from the API.
func (h *hss) located(imsi string) provisioning.Location {
	h.Helper()

	var s provisioning.Subscriber
	h.api("GET", "/subscribers/"+imsi, nil, &s)

	if s.PrivateIdentities[0].MME == nil {
		return provisioning.Location{}
	}

	return *s.PrivateIdentities[0].MME
}

// put changes the subscriber through the API, as the command line does.
func (h *hss) put(imsi string, change func(*provisioning.PrivateIdentity)) {
	h.Helper()

	var s provisioning.Subscriber
	h.api("GET", "/subscribers/"+imsi, nil, &s)
	change(&s.PrivateIdentities[0])
	h.api("PUT", "/subscribers/"+s.Name, s, nil)
}

// queued returns the pushes, oldest first.
func (h *hss) queued() []provisioning.Push {
	h.Helper()

	var list provisioning.PushList
	h.api("GET", "/pushes", nil, &list)
	slices.Reverse(list.Pushes)

	return list.Pushes
}

// TestAnotherMME: the MME that the SIM has left is informed (TS 29.272 §5.2.1.1.3), unless it has purged the SIM or is the same, and its
// later reports change nothing.
func TestAnotherMME(t *testing.T) {
	h := start(t, withMMEs(t))
	h.add(attached, "15550001")
	first, second := connectMME(t, h, "mme"), connectMME(t, h, "mme2")

	first.attach(attached)
	first.attach(attached)
	want(t, "the same MME again: CLR", len(h.queued()), 0)

	want(t, "AIR from another MME", second.air(attached).Result, s6a.Success)
	want(t, "vectors alone move nothing", h.located(attached).DiameterHost, "mme."+epc)

	second.attach(attached)
	first.told(1)
	clr := first.clr[0]
	want(t, "CLR", []any{clr.UserName, clr.Type, clr.Flags}, []any{attached, s6a.MMEUpdateProcedure, s6a.OfMME})
	want(t, "Destination-Realm of the CLR", clr.DestinationRealm, epc)
	want(t, "CLR to the new MME", len(second.clr), 0)

	want(t, "PUA-Flags for the one that it has left", *first.pur(attached).Flags, s6a.PUAFlags(0))
	want(t, "NOR of the one that it has left", first.nor(attached).Result, s6a.ErrorUnknownServingNode)
	want(t, "where it is", h.located(attached).DiameterHost, "mme2."+epc)

	want(t, "NOR", second.nor(attached).Result, s6a.Success)
	want(t, "the terminal that the NOR tells", h.located(attached).IMEI, "3569380356438043")

	want(t, "PUA-Flags", *second.pur(attached).Flags, s6a.FreezeMTMSI)
	want(t, "purged", h.located(attached).Purged, true)
	first.attach(attached)
	want(t, "purged no more", h.located(attached).Purged, false)
	want(t, "requests that the HSS has made", len(h.queued()), 1)
}

// TestBackBeforeItWasTold: a SIM that returns to its old MME before that was informed is not detached there by the outdated CLR.
func TestBackBeforeItWasTold(t *testing.T) {
	c := withMMEs(t)
	c.Push.Attempts = 1000
	h := start(t, c)
	h.add(attached, "15550001")
	first, second := connectMME(t, h, "mme"), connectMME(t, h, "mme2")

	first.attach(attached)
	first.mu.Lock() // it is busy for long
	first.answers = slices.Repeat([]diameter.Result{diameter.TooBusy}, 1000)
	first.mu.Unlock()
	second.attach(attached)
	first.told(1)
	first.attach(attached)
	second.told(1)

	eventually(t, "nothing is left to be told", func() bool {
		return !slices.ContainsFunc(h.queued(), func(p provisioning.Push) bool { return p.State == subscriber.PushPending })
	})

	var results []string
	for _, p := range h.queued() {
		want(t, "state", p.State, subscriber.PushDelivered)
		results = append(results, p.Result)
	}
	want(t, "results", results, []string{"the user is elsewhere by now", "DIAMETER_SUCCESS (2001)"})
	want(t, "where it is", h.located(attached).DiameterHost, "mme."+epc)
}

// TestWhatAChangeMeansToAnMME: it gets the new data, or detaches the SIM, or is not concerned.
func TestWhatAChangeMeansToAnMME(t *testing.T) {
	h := start(t, withMMEs(t))
	m := connectMME(t, h, "mme")

	withAddress := everybody()
	withAddress.DefaultAPN = "ims"
	withAddress.APNs[0].Addresses = []string{"10.45.0.7"}

	for _, test := range []struct {
		name   string
		change func(*hss)
		idr    bool
		clr    string // IMSI
	}{
		{"other keys", func(h *hss) {
			h.put(attached, func(p *provisioning.PrivateIdentity) {
				p.Authentication = &provisioning.Authentication{K: op, OPc: opc}
			})
		}, false, ""},
		{"a public identity", func(h *hss) {
			h.api("PUT", "/subscribers/"+attached+"/public-identities/sip:more@"+home, provisioning.PlacedIdentity{RegistrationSet: 2}, nil)
		}, false, ""},
		{"a network where it may roam", func(h *hss) {
			h.put(attached, func(p *provisioning.PrivateIdentity) { p.VisitedNetworks = []string{"elsewhere"} })
		}, false, ""},
		{"its own APNs", func(h *hss) {
			h.put(attached, func(p *provisioning.PrivateIdentity) { p.EPS = &withAddress })
		}, true, ""},
		{"another number", func(h *hss) {
			h.put(attached, func(p *provisioning.PrivateIdentity) { p.MSISDN = "15559999" })
		}, true, ""},
		{"no APN any more", func(h *hss) {
			h.put(attached, func(p *provisioning.PrivateIdentity) { p.EPS = &subscriber.EPS{} })
		}, false, attached},
		{"another IMSI", func(h *hss) {
			h.put(attached, func(p *provisioning.PrivateIdentity) { p.IMSI = "001010000000002" })
		}, false, attached},
		{"the subscriber goes", func(h *hss) { h.api("DELETE", "/subscribers/"+attached, nil, nil) }, false, attached},
	} {
		t.Run(test.name, func(t *testing.T) {
			here := *h
			here.T = t
			here.add(attached, "15550001")
			m.attach(attached)
			before := len(here.queued())
			test.change(&here)
			made := here.queued()[before:]

			switch {
			case test.idr:
				m.told(1)
				want(t, "requests", len(made), 1)
				want(t, "command", made[0].Command, subscriber.IDR)
			case test.clr != "":
				m.told(1)
				want(t, "requests", len(made), 1)
				want(t, "command", made[0].Command, subscriber.CLR)
				clr := m.clr[len(m.clr)-1]
				want(t, "CLR", []any{clr.UserName, clr.Type}, []any{test.clr, s6a.SubscriptionWithdrawal})
			default:
				want(t, "requests", len(made), 0)
			}
			if test.name != "the subscriber goes" {
				if test.clr != "" {
					want(t, "where it is", here.located("15550001"), provisioning.Location{})
				}
				here.api("DELETE", "/subscribers/"+attached, nil, nil)
				if test.clr == "" {
					m.told(1)
				}
			}
		})
	}

	var data []s6a.SubscriptionData
	for _, idr := range m.idr {
		data = append(data, idr.Subscription)
	}
	want(t, "IDRs", len(data), 2)
	want(t, "static address in the first IDR", data[0].Profile.APNs[0].Addresses, "[10.45.0.7]")
	want(t, "default APN in the first IDR", data[0].Profile.Default, 2)
	want(t, "MSISDN in the second IDR", data[1].MSISDN, s6a.TBCD("15559999"))
	want(t, "APNs in the second IDR", len(data[1].Profile.APNs), 2)
}

// TestNoMoreAbroad: a SIM is detached from a network where it may not stay.
func TestNoMoreAbroad(t *testing.T) {
	h := start(t, withMMEs(t))
	h.add(attached, "15550001")
	m := connectMME(t, h, "mme")

	want(t, "ULR from abroad", m.ulr(attached, func(q *s6a.ULR) { q.VisitedPLMN = a2 }).Result, s6a.Success)
	want(t, "where it is", h.located(attached).PLMN, "901-70")
	h.put(attached, func(p *provisioning.PrivateIdentity) { p.VisitedNetworks = []string{"*.mnc070.mcc901.3gppnetwork.org"} })
	want(t, "it may stay: requests", len(h.queued()), 0)
	h.put(attached, func(p *provisioning.PrivateIdentity) { p.VisitedNetworks = []string{"elsewhere"} })
	m.told(1)
	want(t, "CLR", m.clr[0].Type, s6a.SubscriptionWithdrawal)
}

// TestAnswersOfMMEs: the answers of an MME to a request, and the resulting states.
func TestAnswersOfMMEs(t *testing.T) {
	h := start(t, withMMEs(t))
	h.add(attached, "15550001")
	m := connectMME(t, h, "mme")
	number := []string{"15550002", "15550003"}

	for _, test := range []struct {
		name     string
		answers  []diameter.Result
		state    subscriber.PushState
		attempts int
	}{
		{"success", nil, subscriber.PushDelivered, 1},
		{"it does not know the user", []diameter.Result{s6a.ErrorUserUnknown}, subscriber.PushDelivered, 1},
		{"it does not have the command", []diameter.Result{diameter.CommandUnsupported}, subscriber.PushRefused, 1},
		{"unable to comply", []diameter.Result{s6a.UnableToComply}, subscriber.PushRefused, 1},
		{"too busy, then success", []diameter.Result{diameter.TooBusy, diameter.TooBusy}, subscriber.PushDelivered, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			m.attach(attached)
			m.mu.Lock()
			m.answers = slices.Clone(test.answers)
			m.mu.Unlock()
			h.put(attached, func(p *provisioning.PrivateIdentity) { p.MSISDN = number[0] })
			slices.Reverse(number)
			m.told(test.attempts)
			push := h.finished()
			want(t, "command", push.Command, subscriber.IDR)
			want(t, "state ("+push.Result+")", push.State, test.state)
			want(t, "attempts", push.Attempts, test.attempts)
		})
	}
}

// TestResetAfterAnUncleanStop: an HSS that was not stopped cleanly may have lost reports of MMEs, and sends an RSR to those that it knows
// (TS 29.272 §5.2.4); one stopped cleanly sends none.
func TestResetAfterAnUncleanStop(t *testing.T) {
	c := withMMEs(t)
	c.Push.Attempts = 1000 // until the MME has connected
	h := start(t, c)
	h.add(attached, "15550001")
	h.add("001010000000002", "15550002")
	h.add("001010000000003", "15550003")
	first, second := connectMME(t, h, "mme"), connectMME(t, h, "mme2")
	first.attach(attached)
	first.attach("001010000000002")
	second.attach("001010000000003")
	second.pur("001010000000003")
	first.stop()
	second.stop()
	h.stop()

	h = start(t, c)
	want(t, "after a clean end", len(h.queued()), 0)
	h.stop()

	execute(t, h.database(), "UPDATE marks SET value = 'yes' WHERE name = 'running'")
	h = start(t, c)
	first = connectMME(t, h, "mme")
	first.told(1)
	want(t, "RSR", len(first.rsr), 1)
	want(t, "outcome", h.finished().State, subscriber.PushDelivered)
	want(t, "to the MME that still has a SIM, once", len(h.queued()), 1)
}
