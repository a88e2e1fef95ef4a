package names

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/lab/internal/zone"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

var plan = zone.Plan{Domain: "ims.mnc001.mcc001.3gppnetwork.org", Server: []netip.Addr{netip.MustParseAddr("127.0.0.15")}}

// The numbers of the HSS's subscribers, over all pages.
func TestSubscribers(t *testing.T) {
	pages := map[string]string{
		"": `{"subscribers": [
			{"name": "a", "registration_sets": [{"number": 0, "public_identities": [
				{"identity": "sip:001010000000001@ims.example.org", "barred": true},
				{"identity": "sip:alice@ims.example.org", "barred": false},
				{"identity": "sip:+15550001@ims.example.org", "barred": false},
				{"identity": "tel:+15550001", "barred": false}]}]},
			{"name": "b", "registration_sets": [{"number": 0, "public_identities": [
				{"identity": "sip:1234!.*!@ims.example.org", "barred": false},
				{"identity": "sip:bob@ims.example.org", "barred": false},
				{"identity": "tel:+15550002", "barred": false},
				{"identity": "tel:+15550003", "barred": true}]}]}], "next": "b"}`,
		"b": `{"subscribers": [{"name": "c", "registration_sets": [
			{"number": 0, "public_identities": [{"identity": "tel:+15550004", "barred": false}]},
			{"number": 1, "public_identities": [{"identity": "sip:carol@ims.example.org"}, {"identity": "tel:+15550005"}]}]}]}`,
	}

	hss := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" || r.URL.Path != "/subscribers" || r.URL.Query().Get("limit") != "1000" {
			t.Errorf("it is asked for %s", r.URL)
		}

		text := pages[r.URL.Query().Get("after")]
		if !json.Valid([]byte(text)) {
			t.Errorf("%s: %s", r.URL, text)
		}

		_, _ = w.Write([]byte(text))
	}))
	defer hss.Close()

	got, err := Subscribers(httpapi.Client{Base: hss.URL, Token: "secret"})(t.Context())
	want := []zone.Number{
		{Digits: "15550001", URI: "sip:+15550001@ims.example.org"},
		{Digits: "15550002", URI: "sip:bob@ims.example.org"},
		{Digits: "15550005", URI: "sip:carol@ims.example.org"},
	}

	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

// The subscribers of another network's HSS are noticed.
func TestStrangers(t *testing.T) {
	number := func(domain string) zone.Number {
		return zone.Number{Digits: "15550001", URI: "sip:+15550001@" + domain}
	}

	for name, test := range map[string]struct {
		numbers []zone.Number
		warns   bool
	}{
		"none":         {nil, false},
		"its own":      {[]zone.Number{number(plan.Domain)}, false},
		"some others":  {[]zone.Number{number("ims.example"), number(strings.ToUpper(plan.Domain))}, false},
		"others alone": {[]zone.Number{number("ims.mnc070.mcc999.3gppnetwork.org")}, true},
	} {
		got := Strangers(test.numbers, plan.Domain)
		if (got != "") != test.warns || test.warns && !strings.Contains(got, "mnc070") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// hss is an HSS whose subscribers change, and that can fail.
type hss struct {
	mu      sync.Mutex
	numbers []zone.Number
	err     error
	takes   time.Duration
	asked   int
}

func (h *hss) read(context.Context) ([]zone.Number, error) {
	h.mu.Lock()
	h.asked++
	takes := h.takes
	h.mu.Unlock()

	time.Sleep(takes)

	h.mu.Lock()
	defer h.mu.Unlock()

	return h.numbers, h.err
}

// has makes it have these numbers, or fail.
func (h *hss) has(err error, digits ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()

	h.err, h.numbers = err, []zone.Number{}
	for _, d := range digits {
		h.numbers = append(h.numbers, zone.Number{Digits: d, URI: "sip:a@example.org"})
	}
}

func (h *hss) times() int {
	h.mu.Lock()
	defer h.mu.Unlock()

	return h.asked
}

// Zones are renewed when the subscribers have changed, with a higher serial number, and stay while the HSS does not answer.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			served  []*zone.Zone
			serials []uint32
			said    []string
		)

		from := &hss{err: errors.New("not there yet")}

		f, err := Follow(plan, from.read, 5*time.Second, func(zones []*zone.Zone) error {
			served = zones
			serials = append(serials, zones[0].SOA().Serial)

			return nil
		}, func(line string) { said = append(said, line) })
		if err != nil {
			t.Fatal(err)
		}

		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})

		go func() { f.Run(ctx); close(ended) }()

		has := func(name string) bool {
			_, exists := served[len(served)-1].Find(name, 0)
			return exists
		}
		after := func(wait time.Duration) { time.Sleep(wait); synctest.Wait() }

		after(time.Second)

		if zone.Of(served, "e164.arpa.") != nil {
			t.Error("there are numbers that nobody knows")
		}

		from.has(nil)
		after(5 * time.Second)

		if zone.Of(served, "e164.arpa.") == nil || has("1.0.0.0.5.5.5.1.e164.arpa.") {
			t.Error("it does not say that there are no numbers")
		}

		from.has(nil, "15550001")
		after(5 * time.Second)

		if !has("1.0.0.0.5.5.5.1.e164.arpa.") {
			t.Error("a subscriber that was added has no name")
		}

		from.has(errors.New("gone"))
		after(20 * time.Second)

		if !has("1.0.0.0.5.5.5.1.e164.arpa.") {
			t.Error("without the HSS there are no names any more")
		}

		from.has(nil, "15550002")
		after(5 * time.Second)

		if has("1.0.0.0.5.5.5.1.e164.arpa.") || !has("2.0.0.0.5.5.5.1.e164.arpa.") {
			t.Error("the names are those of before")
		}

		if len(serials) != 4 || !increasing(serials) {
			t.Errorf("the serial numbers are %v", serials)
		}

		text := strings.Join(said, "\n")
		if strings.Count(text, "gone") != 1 || strings.Count(text, "not there yet") != 1 ||
			strings.Count(text, "1 numbers") != 2 {
			t.Errorf("it says\n%s", text)
		}

		// A list that takes long to read is not read all the time.
		from.mu.Lock()
		from.takes = 10 * time.Second
		from.mu.Unlock()
		after(15 * time.Second) // one read of it is over
		before := from.times()
		after(90 * time.Second)

		if n := from.times() - before; n != 1 {
			t.Errorf("it is read %d times in 90 s", n)
		}

		cancel()
		<-ended
	})
}

func increasing(serials []uint32) bool {
	for i := 1; i < len(serials); i++ {
		if serials[i] <= serials[i-1] {
			return false
		}
	}

	return true
}

// Two changes within a second have two serial numbers.
func TestSerialsWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &hss{}

		var serials []uint32

		f, err := Follow(plan, from.read, time.Second, func(zones []*zone.Zone) error {
			serials = append(serials, zones[0].SOA().Serial)
			return nil
		}, func(string) {})
		if err != nil {
			t.Fatal(err)
		}

		for _, digits := range []string{"1", "2", "2", "3"} {
			from.has(nil, digits)
			if err := f.Again(t.Context()); err != nil {
				t.Fatal(err)
			}
		}

		if len(serials) != 4 || !increasing(serials) {
			t.Errorf("the serial numbers are %v", serials)
		}
	})
}

// A file changes when its zone does, and then with a higher serial number.
func TestWrite(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "zones")

	serial := func(origin string) uint32 {
		t.Helper()

		text, err := os.ReadFile(File(folder, origin))
		if err != nil {
			t.Fatal(err)
		}

		n, found := serialOf(text)
		if !found {
			t.Fatalf("%s has no SOA:\n%s", origin, text)
		}

		return n
	}

	put := func(serial uint32, numbers ...zone.Number) {
		t.Helper()

		p := plan
		p.Numbers = append([]zone.Number{}, numbers...)

		zones, err := p.Zones(serial)
		if err != nil {
			t.Fatal(err)
		}

		if err := Write(folder, zones); err != nil {
			t.Fatal(err)
		}
	}

	one := zone.Number{Digits: "15550001", URI: "sip:a@example.org"}

	for _, step := range []struct {
		serial       uint32
		numbers      []zone.Number
		home, phones uint32 // the serial numbers then
	}{
		{100, nil, 100, 100},
		{200, nil, 100, 100},
		{300, []zone.Number{one}, 100, 300},
		{50, nil, 100, 301}, // a clock that was set back
	} {
		put(step.serial, step.numbers...)

		if home, phones := serial("ims.mnc001.mcc001.3gppnetwork.org."), serial("e164.arpa."); home != step.home || phones != step.phones {
			t.Errorf("at %d: %d and %d, want %d and %d", step.serial, home, phones, step.home, step.phones)
		}
	}

	left, err := filepath.Glob(filepath.Join(folder, ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}
