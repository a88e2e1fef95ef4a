package nrf

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/nnrf"
	"github.com/dialtone-ims/dialtone/pkg/sbi"
)

var service = sbi.Service{Of: sbi.PCF, Name: "npcf-policyauthorization"}

// Equals are asked in proportion to their capacity, others by priority.
func TestPick(t *testing.T) {
	places := []place{{"backup", 2, 1000}, {"small", 1, 10}, {"large", 1, 30}, {"none", 1, 0}}
	random := rand.New(rand.NewPCG(1, 2))
	asked := map[string]int{}

	for range 4000 {
		asked[places[pick(places, random.IntN)].root]++
	}

	if asked["backup"]+asked["none"] != 0 || asked["small"] < 900 || asked["small"] > 1100 {
		t.Errorf("%v", asked)
	}

	nothing := []place{{"x", 1, 0}, {"y", 1, 0}}
	if at := pick(nothing, random.IntN); at < 0 || at > 1 {
		t.Error(at)
	}
}

// Whatever an NRF lists, what is made of it can be asked, and is bounded.
func FuzzSearchResult(f *testing.F) {
	f.Add(
		[]byte(
			`{"validityPeriod":100,"nfInstances":[{"nfInstanceId":"1","nfType":"PCF","nfStatus":"REGISTERED","ipv4Addresses":["192.0.2.1"],
		"capacity":-1,"priority":1,"nfServices":[{"serviceName":"npcf-policyauthorization","scheme":"http","nfServiceStatus":"REGISTERED"}]}]}`,
		),
	)
	f.Add([]byte(`{"nfInstances":[{"nfType":"PCF","nfStatus":"REGISTERED","nfServiceList":{"1":{"serviceName":"npcf-policyauthorization",
		"scheme":"https","nfServiceStatus":"REGISTERED","fqdn":"pcf","ipEndPoints":[{"port":99999}],"apiPrefix":"x"}}}]}`))

	f.Fuzz(func(t *testing.T, body []byte) {
		var result nnrf.SearchResult
		if json.Unmarshal(body, &result) != nil {
			return
		}

		all := places(&result, service)
		if len(all) > most {
			t.Errorf("%d places", len(all))
		}
		for _, p := range all {
			if _, err := sbi.ParseRoot(p.root); err != nil || p.capacity < 0 {
				t.Errorf("%+v: %v", p, err)
			}
		}
		if n := New(nil, "", ""); len(all) > 0 && len(n.order(all)) == 0 {
			t.Error("none is left")
		}
	})
}

// Whatever an NRF gives as a token, it is a header field's value, and its end is known.
func FuzzToken(f *testing.F) {
	f.Add([]byte(`{"access_token":"a.b.c","token_type":"Bearer","expires_in":300}`))
	f.Add([]byte(`{"access_token":"a\r\nb","token_type":"bearer"}`))
	f.Add([]byte(`{"access_token":"a","token_type":"Bearer","expires_in":9223372036854775807}`))

	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := read(body)
		if err != nil {
			return
		}
		for _, r := range got.text {
			if r <= ' ' || r > '~' {
				t.Errorf("%q", got.text)
			}
		}
		if left := time.Until(got.until); got.text == "" || left < 0 || left > longest {
			t.Errorf("%q for %v", got.text, left)
		}
	})
}
