package rating

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Each rate has a verdict: why it is used, or why not.
func TestExplain(t *testing.T) {
	p, err := Read([]byte(`
time_zone: Europe/Berlin
periods: {night: [{from: "22:00", to: "06:00"}]}
destinations: {germany: ["+49"]}
rates:
  - {name: world, prefix: "", price: 9, interval: 1}
  - {name: germany, prefix: "", to: [germany], price: 2, interval: 1}
  - {name: germany at night, prefix: "", to: [germany], when: [night], price: 1, interval: 1}
  - {name: video, prefix: "", priority: 1, media: [video], price: 5, interval: 1}
  - {name: France, prefix: "+33", price: 4, interval: 1}
  - {name: called, prefix: "", direction: terminating, price: 0, interval: 1}
  - {name: messages, prefix: "+49301", event_price: 7}
`))
	if err != nil {
		t.Fatal(err)
	}

	at := time.Date(2026, 6, 17, 12, 0, 0, 0, p.clock.zone)

	var got []string
	for _, v := range p.Explain(Service{Number: "+49302"}, Seconds, at) {
		got = append(got, fmt.Sprintf("%s: %s", v.Rate, v.Why))
	}

	want := `germany: it goes first
world: germany has the longer prefix
germany at night: Wed 2026-06-17 12:00:00 CEST is not night
video: the media are not video
France: the called number does not begin with +33
called: it is for the terminating side
messages: the called number does not begin with +49301`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}

	if v := p.Explain(Service{Number: "+1"}, Seconds, at)[0]; v.Rate != "world" || v.Why != "no other rate applies" {
		t.Errorf("the only rate: %+v", v)
	}

	m := p.Meter(Service{Number: "+49301"}, Seconds)
	if _, err := m.Rate(at); err == nil || !strings.Contains(err.Error(), "no price for seconds") {
		t.Errorf("a rate without a price for time: %v", err)
	}

	none, err := Read([]byte(`rates: [{prefix: "+1", price: 1, interval: 1}]`))
	if err != nil {
		t.Fatal(err)
	}

	if _, err := none.Meter(Service{Number: "+49"}, Seconds).Rate(at); !errors.Is(err, ErrNoRate) {
		t.Errorf("no rate: %v", err)
	}
}

// Money that the network function has rated costs what it is.
func TestMoney(t *testing.T) {
	m := new(Plan).Meter(Service{}, Money)
	if got := m.Cost(m.Add(nil, time.Time{}, 250)); got != 250 {
		t.Errorf("%d", got)
	}

	if got := m.Affordable(nil, time.Time{}, 300, 120); got != 120 {
		t.Errorf("%d", got)
	}
}

// Prices beyond all money stay a number.
func TestUnpayable(t *testing.T) {
	for _, text := range []string{
		"rates: [{prefix: \"\", price: 1099511627776, interval: 1}]",
		"decimals: 1\nrates: [{prefix: \"\", price: 1099511627776, interval: 1}]",
	} {
		p, err := Read([]byte(text))
		if err != nil {
			t.Fatal(err)
		}

		m := p.Meter(Service{}, Seconds)
		if got := m.Cost(m.Add(nil, time.Unix(0, 0), 1<<63)); got != Unpayable {
			t.Errorf("%d", got)
		}
	}
}

// A time on the wall that the clocks pass over is no time; one that they show twice is.
func TestTime(t *testing.T) {
	p, err := Read([]byte("time_zone: Europe/Berlin\nrates: [{prefix: \"\", price: 1, interval: 1}]"))
	if err != nil {
		t.Fatal(err)
	}

	for text, want := range map[string]string{
		"2026-03-29 01:59": "2026-03-29 01:59:00 CET", "2026-03-29 02:30": "there is no", "2026-03-29 02:59:59": "there is no",
		"2026-03-29 03:00": "2026-03-29 03:00:00 CEST", "2026-10-25 03:00": "2026-10-25 03:00:00 CET", "2026-06-17": "2026-06-17 00:00:00 CEST",
		"2026-03-29T02:30:00+02:00": "2026-03-29 01:30:00 CET", "soon": "no time",
	} {
		at, err := p.Time(text, time.Time{})
		got := p.Shown(at)

		if err != nil {
			got = err.Error()
		}

		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}

	if _, err := p.Time("2026-10-25 02:30", time.Time{}); err != nil {
		t.Error(err)
	}
}
