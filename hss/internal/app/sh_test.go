package app

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/hss/internal/appserver"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
)

// withAS returns the configuration of an HSS that also serves an EPC and application servers: as may do everything, guest nothing, and
// reader may read alone.
func withAS(t *testing.T) *Config {
	c := withMMEs(t)
	all := []string{"all"}
	c.Sh.Servers = []appserver.Permission{
		{Host: "as." + home, Read: all, Update: all, Notify: all},
		{Host: "AS2." + home, Read: all, Update: all, Notify: all},
		{Host: "reader." + home, Read: []string{"IMSUserState"}},
	}
	for _, name := range []string{"as", "as2", "reader", "guest"} {
		c.Diameter.Peers = append(c.Diameter.Peers, diameter.Peer{Host: name + "." + home, Realm: home})
	}

	return c
}

// as is an application server, as connected to the HSS.
type as struct {
	*testing.T
	*diameter.Node

	mu      sync.Mutex
	answers []diameter.Result // to the next PNRs; Success when there is none
	pnr     chan *sh.PNR
}

func connectAS(t *testing.T, h *hss, name string) *as {
	t.Helper()

	c := diameter.DefaultConfig(name+"."+home, home)
	c.Peers = []diameter.Peer{{Host: h.config.Diameter.OriginHost, Realm: home, Address: h.built.Node.Addresses()[0].String()}}
	c.ReconnectMin, c.ReconnectMax = 10*time.Millisecond, 10*time.Millisecond
	c.RequestTimeout = time.Minute

	node, err := diameter.New(c, []diameter.Application{sh.Application}, diameter.Options{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}

	a := &as{T: t, Node: node, pnr: make(chan *sh.PNR, 100)}
	diameter.Handle(node, func(_ context.Context, q *sh.PNR) (*sh.PNA, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.pnr <- q

		if len(a.answers) == 0 {
			return new(sh.PNA), nil
		}

		result := a.answers[0]
		a.answers = a.answers[1:]

		return nil, result
	})

	ctx, cancel := context.WithCancel(context.Background())

	var running sync.WaitGroup
	running.Go(func() { _ = node.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })

	eventually(t, name+" is connected", func() bool {
		if node.Ready() != nil {
			return false
		}
		for _, other := range h.built.Node.Peers() {
			if strings.EqualFold(other.Host, name+"."+home) && other.State == "open" {
				return true
			}
		}
		return false
	})

	return a
}

func consult[A, Q any, PA diameter.Typed[A], PQ diameter.Typed[Q]](a *as, q *Q) *A {
	a.Helper()

	answer, err := diameter.Call[A, Q, PA, PQ](a.Context(), a.Node, q)
	if err != nil {
		a.Fatalf("%T: %v", q, err)
	}

	return answer
}

func (a *as) udr(public string, reference sh.DataReference, change ...func(*sh.UDR)) *sh.UDA {
	a.Helper()

	q := &sh.UDR{User: sh.UserIdentity{PublicIdentity: public}, References: []sh.DataReference{reference}}
	for _, c := range change {
		c(q)
	}

	return consult[sh.UDA](a, q)
}

// repository is an Sh-Data with data of a service; "" for a deletion.
func repository(service string, number int, data string) string {
	if data != "" {
		data = "<ServiceData>" + data + "</ServiceData>"
	}

	return fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Sh-Data><RepositoryData><ServiceIndication>%s</ServiceIndication>"+
		"<SequenceNumber>%d</SequenceNumber>%s</RepositoryData></Sh-Data>", service, number, data)
}

func (a *as) pur(public, document string, change ...func(*sh.PUR)) *sh.PUA {
	a.Helper()

	q := &sh.PUR{
		User: sh.UserIdentity{PublicIdentity: public}, References: []sh.DataReference{sh.ReferenceRepositoryData}, UserData: []byte(document),
	}
	for _, c := range change {
		c(q)
	}

	return consult[sh.PUA](a, q)
}

func (a *as) snr(public string, reference sh.DataReference, change ...func(*sh.SNR)) *sh.SNA {
	a.Helper()

	q := &sh.SNR{User: sh.UserIdentity{PublicIdentity: public}, References: []sh.DataReference{reference}}
	for _, c := range change {
		c(q)
	}

	return consult[sh.SNA](a, q)
}

// told waits for a notification.
func (a *as) told() *sh.PNR {
	a.Helper()

	return soon(a.T, a.pnr)
}

// said returns what a document says: the text of its elements, without those around them.
func said(t *testing.T, document []byte) string {
	t.Helper()

	var (
		parts   []string
		path    []string
		decoder = xml.NewDecoder(strings.NewReader(string(document)))
	)

	for {
		token, err := decoder.Token()
		if err != nil {
			if len(document) > 0 && err.Error() != "EOF" {
				t.Fatalf("%v in %s", err, document)
			}

			return strings.Join(parts, " ")
		}

		switch v := token.(type) {
		case xml.StartElement:
			path = append(path, v.Name.Local)
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if text := strings.TrimSpace(string(v)); text != "" {
				parts = append(parts, path[len(path)-1]+"="+text)
			}
		}
	}
}

// TestWhatApplicationServersRead: each kind of data of TS 29.328 table 7.6.1 that the HSS has, by each kind of identity.
func TestWhatApplicationServersRead(t *testing.T) {
	h := start(t, withAS(t))
	private := h.add(attached, "15550001")
	a, m, scscf := connectAS(t, h, "as"), connectMME(t, h, "mme"), connect(t, h, "scscf")

	const public = "sip:+15550001@" + home
	byNumber := func(q *sh.UDR) { q.User = sh.UserIdentity{MSISDN: s6a.TBCD("15550001")} }
	identitySet := func(set sh.IdentitySet) func(*sh.UDR) {
		return func(q *sh.UDR) { q.IdentitySets = []sh.IdentitySet{set} }
	}
	domain := func(d uint32) func(*sh.UDR) { return func(q *sh.UDR) { q.Domain = &d } }

	const voicemail = `{"filter_criteria": [
		{"priority": 1, "application_server": {"server_name": "sip:as.example.org", "default_handling": 0}},
		{"priority": 2, "application_server": {"server_name": "sip:other.example.org", "default_handling": 0}}]}`
	h.raw("PUT", "/service-profiles/default", "application/json", voicemail)
	h.raw(
		"PUT",
		"/subscribers/"+attached+"/public-identities/sip:service@"+home,
		"application/json",
		`{"registration_set": 2, "kind": "service", "barred": false}`,
	)
	scscf.mar(private, "sip:"+private, scscfURI)

	reads := func(name string, answer *sh.UDA, text string) {
		t.Helper()
		want(t, name+" ("+answer.ErrorMessage+")", answer.Result, sh.Success)
		want(t, name, said(t, answer.UserData), text)
	}

	reads("state while it authenticates", a.udr(public, sh.ReferenceIMSUserState), "IMSUserState=3")
	reads("registered identities", a.udr(public, sh.ReferenceIMSPublicIdentity, identitySet(sh.RegisteredIdentities)), "")
	scscf.register(private, "sip:"+private)

	reads("state", a.udr(public, sh.ReferenceIMSUserState), "IMSUserState=1")
	reads("state of an alias in other form", a.udr("tel:+1-555-0001", sh.ReferenceIMSUserState), "IMSUserState=1")
	reads("identities", a.udr(public, sh.ReferenceIMSPublicIdentity),
		"IMSPublicIdentity="+public+" IMSPublicIdentity=tel:+15550001 IMSPublicIdentity=sip:service@"+home)
	reads("implicit identities", a.udr(public, sh.ReferenceIMSPublicIdentity, identitySet(sh.ImplicitIdentities)),
		"IMSPublicIdentity="+public+" IMSPublicIdentity=tel:+15550001")
	reads("registered identities", a.udr(public, sh.ReferenceIMSPublicIdentity, byNumber, identitySet(sh.RegisteredIdentities)),
		"IMSPublicIdentity="+public+" IMSPublicIdentity=tel:+15550001")
	reads("aliases", a.udr(public, sh.ReferenceIMSPublicIdentity, identitySet(sh.AliasIdentities)), "IMSPublicIdentity="+public)
	reads("identities of a service", a.udr("sip:service@"+home, sh.ReferenceIMSPublicIdentity, identitySet(sh.ImplicitIdentities)),
		"IMSPublicIdentity=sip:service@"+home+" IdentityType=1")
	reads("S-CSCF", a.udr(public, sh.ReferenceSCSCFName), "SCSCFName="+scscfURI)
	reads("criteria", a.udr(public, sh.ReferenceFilterCriteria, func(q *sh.UDR) { q.ServerName = "sip:as.example.org" }),
		"Priority=1 ServerName=sip:as.example.org DefaultHandling=0")
	reads("criteria of nobody", a.udr(public, sh.ReferenceFilterCriteria, func(q *sh.UDR) { q.ServerName = "sip:third.example.org" }), "")

	reads("where it is not", a.udr(public, sh.ReferenceLocationInformation), "")
	reads("detached", a.udr(public, sh.ReferenceUserState, domain(1)), "EPSUserState=0")
	m.attach(attached)
	reads("where it is", a.udr(public, sh.ReferenceLocationInformation, domain(1)), "MMEName=mme."+epc+" VisitedPLMNID=00101")
	reads("where it is by number", a.udr(public, sh.ReferenceLocationInformation, byNumber, func(q *sh.UDR) { q.Nodes = sh.NodeMME }),
		"MMEName=mme."+epc+" VisitedPLMNID=00101")
	reads("at an MSC", a.udr(public, sh.ReferenceLocationInformation, domain(sh.CircuitSwitched)), "")
	reads("at an SGSN", a.udr(public, sh.ReferenceLocationInformation, func(q *sh.UDR) { q.Nodes = 2 }), "")
	reads("attached", a.udr(public, sh.ReferenceUserState, domain(1)), "EPSUserState=5")

	reads("no charging functions", a.udr(public, sh.ReferenceCharging), "")
	reads("number", a.udr(public, sh.ReferenceMSISDN), "MSISDN=15550001")
	reads("IMSI", a.udr(public, sh.ReferenceIMSI, byNumber), "IMSI="+attached)
	reads("IMSI of a private identity", a.udr(public, sh.ReferenceIMSI, func(q *sh.UDR) { q.UserName = private }), "IMSI="+attached)
	reads("private identity", a.udr(public, sh.ReferencePrivateIdentity), "IMSPrivateUserIdentity="+private)
	reads("terminal", a.udr(public, sh.ReferenceIMEISV), "IMEISV=3569380356438042")
	reads("DSAI", a.udr(public, sh.ReferenceDSAI, func(q *sh.UDR) { q.DSAITags = []string{"tag"} }), "")
}

// TestRepositoryData: what application servers keep is read as it was written, whatever the prefixes were, is shared by aliases, counted
// round, and gone with its identity (TS 29.328 §6.1.2.1).
func TestRepositoryData(t *testing.T) {
	h := start(t, withAS(t))
	private := h.add(attached, "15550001")
	a := connectAS(t, h, "as")
	const public = "sip:+15550001@" + home
	reads := func(identity, service string) string {
		t.Helper()
		return string(a.udr(identity, sh.ReferenceRepositoryData, func(q *sh.UDR) { q.Services = []string{service} }).UserData)
	}
	writes := func(identity, document string) {
		t.Helper()
		answer := a.pur(identity, document)
		want(t, "PUR ("+answer.ErrorMessage+")", answer.Result, sh.Success)
	}

	writes(public, repository("simservs", 0, `<s:simservs xmlns:s="urn:simservs" active="1"><s:cdiv>to &lt;me&gt;</s:cdiv></s:simservs>`))
	got := reads(public, "simservs")
	for _, part := range []string{
		"<ServiceIndication>simservs</ServiceIndication><SequenceNumber>0</SequenceNumber><ServiceData>",
		`<simservs xmlns="urn:simservs" active="1"><cdiv>to &lt;me&gt;</cdiv></simservs></ServiceData>`,
	} {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in\n%s", part, got)
		}
	}

	want(t, "of another service", reads(public, "other"), "")
	want(t, "of another identity", reads("tel:+15550001", "simservs"), "")

	writes(public, repository("simservs", 1, "<a/>"))
	execute(t, h.database(), "UPDATE repository_data SET sequence = 65535")
	writes(public, repository("simservs", 1, "<b/>")) // 0 is for new data alone
	writes(public, repository("simservs", 2, ""))
	want(t, "deleted", reads(public, "simservs"), "")
	writes(public, repository("simservs", 0, "text"))

	for _, identity := range []string{"sip:one@" + home, "sip:two@" + home} {
		h.raw("PUT", "/subscribers/"+attached+"/public-identities/"+identity, "application/json",
			`{"registration_set": 2, "kind": "user", "barred": false, "service_profile": "default", "alias_group": "g"}`)
	}
	writes("sip:one@"+home, repository("shared", 0, "<x/>"))
	want(t, "of an alias", strings.Contains(reads("sip:two@"+home, "shared"), "<x>"), true)

	h.api("DELETE", "/subscribers/"+attached, nil, nil)
	want(t, "the subscriber comes again", h.add(attached, "15550001"), private)
	want(t, "what it had", reads(public, "simservs"), "")
}

// TestSeveralServicesAtOnce: with Update-Eff a PUR changes several services, or none and says which one is to blame (TS 29.328 §6.1.2.1).
func TestSeveralServicesAtOnce(t *testing.T) {
	h := start(t, withAS(t))
	h.add(attached, "15550001")
	a := connectAS(t, h, "as")
	const public = "tel:+15550001"
	two := func(second int) string {
		return "<Sh-Data><RepositoryData><ServiceIndication>a</ServiceIndication><SequenceNumber>0</SequenceNumber>" +
			"<ServiceData><x/></ServiceData></RepositoryData><RepositoryData><ServiceIndication>b</ServiceIndication><SequenceNumber>" + fmt.Sprint(
			second,
		) +
			"</SequenceNumber><ServiceData><y/></ServiceData></RepositoryData></Sh-Data>"
	}
	able := func(q *sh.PUR) {
		q.SupportedFeatures = append(q.SupportedFeatures, updateEff)
	}

	want(t, "without the feature", a.pur(public, two(0)).Result, sh.ErrorUserDataNotRecognized)
	want(t, "the second is out of sync", a.pur(public, two(7), able).Result, sh.ErrorTransparentDataOutOfSync)
	first := a.udr(public, sh.ReferenceRepositoryData, func(q *sh.UDR) { q.Services = []string{"a"} })
	want(t, "the first is not there either", len(first.UserData), 0)
	want(t, "both", a.pur(public, two(0), able).Result, sh.Success)
}
