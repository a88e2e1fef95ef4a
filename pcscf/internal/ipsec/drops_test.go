package ipsec

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
)

// counting is a kernel whose counters a test moves.
type counting struct {
	sync.Mutex
	all []ipsec.Statistic
	ill error
}

func (k *counting) change(by func()) {
	k.Lock()
	defer k.Unlock()

	by()
}

func (k *counting) read() ([]ipsec.Statistic, error) {
	k.Lock()
	defer k.Unlock()

	return slices.Clone(k.all), k.ill
}

// Packets dropped by the kernel are reported once, in words, and again when it goes on; drops before the start of the P-CSCF are not
// reported.
func TestDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &counting{all: []ipsec.Statistic{{Name: "XfrmInNoStates", Count: 5}, {Name: "XfrmInPolBlock"}}}

		var log strings.Builder

		d := watchDrops(k.read, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})

		go func() { d.Run(ctx); close(ended) }()

		says := func(wait time.Duration, want int, text string) {
			t.Helper()
			time.Sleep(wait)
			synctest.Wait()

			if got := strings.Count(log.String(), text); got != want {
				t.Errorf("%q is said %d times, want %d, in\n%s", text, got, want, log.String())
			}
		}

		says(time.Minute, 0, "drops")

		k.change(func() { k.all[0].Count = 8 })
		says(11*time.Second, 1, "packets=3 hint=\"ESP came with an SPI")
		says(time.Hour, 1, "drops packets")

		if moved := d.moved(); len(moved) != 1 || moved[0].Counter != "XfrmInNoStates" || moved[0].Count != 8 || moved[0].SinceStart != 3 {
			t.Errorf("%+v", moved)
		}

		for range 1000 { // a scanner
			k.change(func() { k.all[1].Count++ })
			time.Sleep(time.Second)
		}

		says(time.Minute, 2, "XfrmInPolBlock")

		want := "dialtone_pcscf_xfrm_total{counter=\"XfrmInNoStates\"} 8\ndialtone_pcscf_xfrm_total{counter=\"XfrmInPolBlock\"} 1000\n"
		if err := testutil.CollectAndCompare(
			d,
			strings.NewReader("# HELP dialtone_pcscf_xfrm_total Packets that the kernel dropped for IPsec's sake, "+
				"by its own counter; of the whole network namespace, since the kernel started.\n# TYPE dialtone_pcscf_xfrm_total counter\n"+
				want),
		); err != nil {
			t.Error(err)
		}

		k.change(func() { k.ill = errors.New("input/output error") })
		says(11*time.Second, 1, "input/output error")

		k.change(func() { k.all, k.ill = nil, nil }) // a kernel that does not count
		if n := testutil.CollectAndCount(d); n != 0 {
			t.Errorf("%d counters of nothing", n)
		}

		cancel()
		<-ended
	})
}

func TestDropsAreRegistered(t *testing.T) {
	d := watchDrops(
		func() ([]ipsec.Statistic, error) { return []ipsec.Statistic{{Name: "XfrmInError", Count: 1}}, nil },
		slog.New(slog.DiscardHandler),
	)

	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(d)

	if families, err := registry.Gather(); err != nil || len(families) != 1 {
		t.Errorf("%v, %v", families, err)
	}
}

// A selection that makes no sense is refused; without associations there is an empty list.
func TestShowAssociations(t *testing.T) {
	s := &Access{}
	privates := func(identity string) []string { return []string{"who is " + identity} }

	for query, limit := range map[string]int{
		"": 100, "?limit=10000": 10000, "?ue=192.0.2.7&user=a@b": 100, "?limit=0": 0, "?limit=10001": 0, "?limit=all": 0, "?ue=handset": 0,
	} {
		r := httptest.NewRequest(http.MethodGet, "/associations"+query, nil)
		resource := s.Associations(privates)
		got, err := selected(r, privates)
		err = errors.Join(resource.Check(r), err)

		var refused *httpapi.Error
		if limit == 0 {
			if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest {
				t.Errorf("%s: %+v, %v", query, got, err)
			}

			continue
		}

		if err != nil || got.Limit != limit {
			t.Errorf("%s: %+v, %v", query, got, err)
		}

		if strings.Contains(query, "user") && (!slices.Equal(got.Private, []string{"who is a@b"}) || got.UE != netip.MustParseAddr("192.0.2.7")) {
			t.Errorf("%s: %+v", query, got)
		}

		w := httptest.NewRecorder()

		var answer associations
		if err := errors.Join(resource.Handler(w, r), json.Unmarshal(w.Body.Bytes(), &answer)); err != nil || answer.Sets != 0 ||
			answer.Shown == nil ||
			answer.Drops == nil {
			t.Errorf("%s: %s, %v", query, w.Body, err)
		}
	}
}
