package overn5_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
	"github.com/dialtone-ims/dialtone/test/sba"
)

const (
	nrCell = `"ueTimeZone":"+01:00","ueLoc":{"nrLocation":{"tai":{"plmnId":{"mcc":"001","mnc":"01"},"tac":"000001"},
		"ncgi":{"plmnId":{"mcc":"001","mnc":"01"},"nrCellId":"00000001f"}}}`
	onNR = `3GPP-NR;utran-cell-id-3gpp=0010100000100000001F;local-time-zone="UTC+01:00";network-provided`
)

// The PCF is asked where the UE is, and what it reports counts until the next report (TS 29.514 §4.2.2.10, §4.2.5.10).
func TestLocation(t *testing.T) {
	withCore(t, func(t *testing.T, c *core) {
		_, b := c.pcscf(overn5.Config{PCF: pcfRoot, Location: true})
		leg := b.Leg(call, func(bearer.Loss) {})

		if err := leg.Need(t.Context(), needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}

		path := ""
		for at, q := range c.pcf.Sessions() {
			path = at
			asked := q.EventsSubscription

			if want := []string{"USER_LOCATION", "UE_TIME_ZONE"}; !slices.Equal(asked.RequiredAccessInfo, want) ||
				q.SupportedFeatures != "30" {
				t.Errorf("asked %+v", q)
			}
			if !slices.Contains(asked.Events, npcf.EventSubscription{Event: "ANI_REPORT"}) {
				t.Errorf("events %+v", asked.Events)
			}
		}

		for _, test := range []struct{ name, said, want string }{
			{"a cell", `{"evNotifs":[{"event":"ANI_REPORT"}],` + nrCell + `}`, onNR},
			{"another event", `{"evNotifs":[{"event":"USAGE_REPORT"}]}`, onNR},
			{"another access", `{"evNotifs":[{"event":"ACCESS_TYPE_CHANGE"}],"accessType":"NON_3GPP_ACCESS"}`, "3GPP-WLAN;network-provided"},
			{
				"an access, and an old place", `{"evNotifs":[{"event":"ACCESS_TYPE_CHANGE"}],"ratType":"EUTRA",` + nrCell + `}`,
				`3GPP-E-UTRAN;local-time-zone="UTC+01:00";network-provided`,
			},
			{"a place that is none", `{"evNotifs":[{"event":"ANI_REPORT"}],` + strings.Replace(nrCell, "00000001f", "x", 1) + `}`, ""},
			{"none", `{"evNotifs":[{"event":"ANI_REPORT"}],"noNetLocSupp":"LOC_NOT_SUPPORTED"}`, ""},
			{"a cell again", `{"evNotifs":[{"event":"ANI_REPORT"}],"ratType":"NR",` + nrCell + `}`, onNR},
		} {
			var said npcf.EventsNotification
			if err := json.Unmarshal([]byte(test.said), &said); err != nil {
				t.Fatal(err)
			}
			if status, err := c.pcf.Notify(t.Context(), path, said); err != nil || status != http.StatusNoContent {
				t.Errorf("%s: %d %v", test.name, status, err)
			}
			if got := b.Place(call.UE).String(); got != test.want {
				t.Errorf("%s: %s, want %s", test.name, got, test.want)
			}
		}

		leg.End()
		synctest.Wait()
		if got := b.Place(call.UE).String(); got != "" {
			t.Errorf("when the session is over: %s", got)
		}
	})
}

// A PCF may say at once where the UE is; whatever else the body of a creation says, the session is there.
func TestLocationAtOnce(t *testing.T) {
	const root = "http://192.0.2.26:7777"

	for name, test := range map[string]struct{ body, want string }{
		"a cell":           {`{"evsNotif":{"evNotifs":[{"event":"ANI_REPORT"}],` + nrCell + `}}`, onNR},
		"none":             {`{"ascReqData":{}}`, ""},
		"nothing":          {"", ""},
		"malformed":        {`{"evsNotif":`, ""},
		"of another form":  {`{"evsNotif":[]}`, ""},
		"a place of none":  {`{"evsNotif":{` + strings.Replace(nrCell, "00000001f", "x", 1) + `}}`, ""},
		"another's answer": {`{"evsNotif":{"ueLoc":{}}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			withCore(t, func(t *testing.T, c *core) {
				node := sba.New(nil)
				node.Answer(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, npcf.Delete) {
						w.WriteHeader(http.StatusNoContent)
						return
					}
					w.Header().Set("Location", npcf.Collection+"/1")
					w.WriteHeader(http.StatusCreated)
					_, _ = w.Write([]byte(test.body))
				})
				c.serve(root, node)

				_, b := c.pcscf(overn5.Config{PCF: root, Location: true})
				leg := b.Leg(call, func(bearer.Loss) {})

				if err := leg.Need(t.Context(), needs(t, offered, answered)); err != nil {
					t.Fatal(err)
				}
				if got := b.Place(netip.MustParseAddr(ue)).String(); got != test.want {
					t.Errorf("%s, want %s", got, test.want)
				}

				leg.End()
				synctest.Wait()
			})
		})
	}
}

// A creation whose answer does not say where the session is, or never ends, is none.
func TestCreationsWithoutPlace(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   outcome
	}{
		"no Location": {status(http.StatusCreated), outcome{why: "the PCF does not say where the session is", silent: true}},
		"a Location that is none": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "mailto:pcf")
			w.WriteHeader(http.StatusCreated)
		}, outcome{why: "the PCF does not say where the session is", silent: true}},
		"huge": {huge, outcome{why: "the answer of the PCF is longer than 262144 octets", silent: true}},
		"slow": {slow, outcome{why: "the PCF does not answer", silent: true}},
	} {
		t.Run(name, func(t *testing.T) {
			withCore(t, func(_ *testing.T, c *core) {
				c.nrf.Answer(test.answer)
				p, _ := c.pcscf(overn5.Config{PCF: nrfRoot})
				c.expect(p, test.want)
			})
		})
	}
}
