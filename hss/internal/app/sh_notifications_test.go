package app

import (
	"slices"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
)

// watches counts the subscriptions to notifications.
func (h *hss) watches() (count int) {
	h.Helper()

	if err := h.database().QueryRowContext(h.Context(), "SELECT count(*) FROM watches").Scan(&count); err != nil {
		h.Fatal(err)
	}

	return count
}

func ofService(service string) func(*sh.SNR) {
	return func(q *sh.SNR) { q.Services = []string{service} }
}

// TestNotifications: an application server is told of each change of what it watches, with the data, and of nothing else (TS 29.328
// §6.1.4). What should not be told would come before what is waited for.
func TestNotifications(t *testing.T) {
	h := start(t, withAS(t))
	private := h.add(attached, "15550001")
	a, second, scscf := connectAS(t, h, "as"), connectAS(t, h, "as2"), connect(t, h, "scscf")
	const public = "sip:+15550001@" + home
	told := func(name, text string) {
		t.Helper()
		pnr := a.told()
		want(t, name, said(t, pnr.UserData), text)
		want(t, name+": of whom", pnr.User.PublicIdentity, public)
	}
	ok := func(name string, answer diameter.Result, message string) {
		t.Helper()
		want(t, name+" ("+message+")", answer, sh.Success)
	}

	s := a.snr(public, sh.ReferenceIMSUserState, func(q *sh.SNR) { q.SendData = sh.DataRequested })
	ok("SNR", s.Result, s.ErrorMessage)
	want(t, "the state of now", said(t, s.UserData), "IMSUserState=0")
	s = a.snr(public, sh.ReferenceSCSCFName, func(q *sh.SNR) { q.SendData = sh.DataRequested })
	want(
		t,
		"no S-CSCF: an empty element",
		string(s.UserData[len(s.UserData)-58:]),
		"<Sh-IMS-Data><SCSCFName></SCSCFName></Sh-IMS-Data></Sh-Data>"[2:],
	)

	scscf.mar(private, "sip:"+private, scscfURI)
	told("the S-CSCF, when it authenticates; the state is pending", "SCSCFName="+scscfURI)
	scscf.sar(cx.AssignRegistration, private, scscfURI, "sip:"+private)
	told("registered", "IMSUserState=1")
	scscf.sar(cx.ReRegistration, private, scscfURI, "sip:"+private)
	scscf.sar(cx.UserDeregistration, private, scscfURI, "sip:"+private)
	both := []string{said(t, a.told().UserData), said(t, a.told().UserData)} // in either order, as the re-registration is told late or not
	slices.Sort(both)
	want(t, "de-registered, and from the S-CSCF", both, []string{"", "IMSUserState=0"})

	criteria := func(q *sh.SNR) { q.ServerName = "sip:as.example.org" }
	s = a.snr(public, sh.ReferenceFilterCriteria, criteria)
	ok("SNR of criteria", s.Result, s.ErrorMessage)
	h.raw("PUT", "/service-profiles/default", "application/json",
		`{"filter_criteria": [{"priority": 1, "application_server": {"server_name": "sip:other.example.org", "default_handling": 0}}]}`)
	h.raw("PUT", "/service-profiles/default", "application/json",
		`{"filter_criteria": [{"priority": 1, "application_server": {"server_name": "sip:as.example.org", "default_handling": 0}}]}`)
	told("criteria", "Priority=1 ServerName=sip:as.example.org DefaultHandling=0")

	ok("SNR of identities", a.snr(public, sh.ReferenceIMSPublicIdentity).Result, "")
	ok("SNR of charging functions", a.snr(public, sh.ReferenceCharging).Result, "")
	h.raw(
		"PUT",
		"/subscribers/"+attached+"/public-identities/sip:more@"+home,
		"application/json",
		`{"registration_set": 1, "kind": "user", "barred": false}`,
	)
	told("one more identity", "IMSPublicIdentity="+public+" IMSPublicIdentity=tel:+15550001 IMSPublicIdentity=sip:more@"+home)
	var document provisioning.Subscriber
	h.api("GET", "/subscribers/"+attached, nil, &document)
	document.Charging = &provisioning.Charging{PrimaryEvent: "aaa://ocs.example.org:3868"}
	h.api("PUT", "/subscribers/"+attached, document, nil)
	told("charging functions", "PrimaryEventChargingFunctionName=aaa://ocs.example.org:3868")

	ok("PUR", a.pur(public, repository("simservs", 0, "<a/>")).Result, "")
	ok("SNR of it", a.snr(public, sh.ReferenceRepositoryData, ofService("simservs")).Result, "")
	ok("SNR of the other", second.snr(public, sh.ReferenceRepositoryData, ofService("simservs")).Result, "")
	ok("its own PUR", a.pur(public, repository("simservs", 1, "<b/>")).Result, "")
	want(t, "the other is told", said(t, second.told().UserData), "ServiceIndication=simservs SequenceNumber=1")
	ok("the other's PUR", second.pur(public, repository("simservs", 2, "text")).Result, "")
	told("of the other's", "ServiceIndication=simservs SequenceNumber=2 ServiceData=text")
	before := h.watches()
	ok("the other's deletion", second.pur(public, repository("simservs", 3, "")).Result, "")
	told("deleted", "ServiceIndication=simservs SequenceNumber=3")
	want(t, "both watches end", h.watches(), before-2)

	h.api("DELETE", "/subscribers/"+attached, nil, nil)
	told("the identity is gone, once", "IMSPublicIdentity="+public)
	want(t, "no watch is left", h.watches(), 0)
	eventually(t, "all is answered", func() bool {
		return !slices.ContainsFunc(h.queued(), func(p provisioning.Push) bool {
			return p.Command == subscriber.PNR && p.State != subscriber.PushDelivered
		})
	})
}

// TestHowASubscriptionEnds: by its time, by one notification, by an answer of the application server, or since it is not permitted any more
// (TS 29.328 §6.1.3.1, §6.1.4.1, §6.2).
func TestHowASubscriptionEnds(t *testing.T) {
	c := withAS(t)
	c.Sh.Longest = time.Hour
	h := start(t, c)
	private := h.add(attached, "15550001")
	a, scscf := connectAS(t, h, "as"), connect(t, h, "scscf")
	const public = "tel:+15550001"
	register := func() { scscf.register(private, "sip:"+private) }
	leave := func() { scscf.sar(cx.UserDeregistration, private, scscfURI, "sip:"+private) }
	expiring := func(at time.Time) func(*sh.SNR) { return func(q *sh.SNR) { q.Expiry = at } }
	ends := func(s *sh.SNA, after time.Duration) {
		t.Helper()
		if left := time.Until(s.Expiry); left > after || left < after-time.Minute {
			t.Errorf("it ends in %s, want %s", left, after)
		}
	}

	ends(a.snr(public, sh.ReferenceIMSUserState), time.Hour)
	ends(a.snr(public, sh.ReferenceIMSUserState, expiring(time.Now().Add(24*time.Hour))), time.Hour)
	ends(a.snr(public, sh.ReferenceIMSUserState, expiring(time.Now().Add(10*time.Minute))), 10*time.Minute)
	want(t, "it is one", h.watches(), 1)
	a.snr(public, sh.ReferenceIMSUserState, expiring(time.Now().Add(-time.Minute)))
	want(t, "over at once", h.watches(), 0)

	a.snr(public, sh.ReferenceIMSUserState)
	execute(t, h.database(), "UPDATE watches SET expires = '2020-01-01 00:00:00+00:00'")
	register()
	eventually(t, "it is forgotten", func() bool { return h.watches() == 0 })

	once := uint32(0)
	a.snr(public, sh.ReferenceIMSUserState, func(q *sh.SNR) { q.OneTime = &once })
	leave()
	want(t, "once", said(t, a.told().UserData), "IMSUserState=0")
	eventually(t, "that was it", func() bool { return h.watches() == 0 })

	for _, result := range []diameter.Result{sh.ErrorNoSubscriptionToData, sh.ErrorUserUnknown} {
		a.snr(public, sh.ReferenceIMSUserState)
		a.snr(public, sh.ReferenceCharging)
		a.mu.Lock()
		a.answers = []diameter.Result{result}
		a.mu.Unlock()
		register()
		a.told()
		left := map[diameter.Result]int{sh.ErrorNoSubscriptionToData: 1, sh.ErrorUserUnknown: 0}[result]
		eventually(t, "the application server has answered "+result.Error(), func() bool { return h.watches() == left })
		leave()
	}

	s := consult[sh.SNA](a, &sh.SNR{ // by its number, and of one private identity
		User: sh.UserIdentity{MSISDN: s6a.TBCD("15550001")}, References: []sh.DataReference{sh.ReferenceIMSPublicIdentity}, UserName: private,
	})
	want(t, "by its number ("+s.ErrorMessage+")", s.Result, sh.Success)
	h.raw(
		"PUT",
		"/subscribers/"+attached+"/public-identities/sip:more@"+home,
		"application/json",
		`{"registration_set": 1, "kind": "user", "barred": false}`,
	)
	pnr := a.told()
	want(t, "who is meant", []any{pnr.User.MSISDN, pnr.UserName}, []any{s6a.TBCD("15550001"), private})

	a.snr(public, sh.ReferenceIMSUserState)
	want(t, "what is watched", h.watches(), 2)
	h.stop()
	c.Sh.Servers[0].Notify = []string{"IMSUserState"}
	h = start(t, c)
	want(t, "what is permitted", h.watches(), 1)
}

// TestOneApplicationServerInAnyCase: a Diameter identity is the same in capitals (RFC 6733 §4.3.1), so that nobody has more subscriptions
// by writing its own differently.
func TestOneApplicationServerInAnyCase(t *testing.T) {
	c := withAS(t)
	c.Sh.MaxSubscriptions = 1
	h := start(t, c)
	h.add(attached, "15550001")

	for _, name := range []string{"as", "AS", "As"} {
		t.Run(name, func(t *testing.T) {
			a := connectAS(t, h, name)
			want(t, "the subscription, again", a.snr("tel:+15550001", sh.ReferenceIMSUserState).Result, sh.Success)
			want(t, "a second one", a.snr("tel:+15550001", sh.ReferenceSCSCFName).Result, sh.UnableToComply)
			want(t, "subscriptions", h.watches(), 1)
		})
	}
}

// TestPermissionsAreChecked: a permission that cannot be is named when the HSS starts.
func TestPermissionsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"an unknown kind":                func(c *Config) { c.Sh.Servers[0].Read = []string{"STN-SR"} },
		"an update of what is read only": func(c *Config) { c.Sh.Servers[0].Update = []string{"IMSUserState"} },
		"a watch of a location":          func(c *Config) { c.Sh.Servers[0].Notify = []string{"LocationInformation"} },
		"no host":                        func(c *Config) { c.Sh.Servers[0].Host = "" },
		"a host twice":                   func(c *Config) { c.Sh.Servers[1].Host = "AS." + home },
		"no data at all":                 func(c *Config) { c.Sh.MaxData = 0 },
		"more data than a message holds": func(c *Config) { c.Sh.MaxData = 1 << 20 },
		"no services":                    func(c *Config) { c.Sh.MaxServices = 0 },
		"no subscriptions":               func(c *Config) { c.Sh.MaxSubscriptions = 0 },
		"a negative time":                func(c *Config) { c.Sh.Longest = -1 },
	} {
		c := withAS(t)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		if change(c); c.Validate() == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}
