package overrx_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// The PCRF is asked where the UE is, and what it reports counts until the next report, or the end of the session (TS 29.214 §4.4.6.7).
func TestLocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t, network: memory.New(), disk: t.TempDir(), location: true}
		d.startPCRF()
		d.startPCSCF()
		defer d.end()

		call, registration := d.leg(), d.bearers.Leg(signalling, d.lose)
		if err := d.need(call, needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}
		if err := d.need(registration, media.Signalling()); err != nil {
			t.Fatal(err)
		}

		id := ""
		for session, q := range d.pcrf.Sessions() {
			if want := []rx.RequiredAccessInfo{rx.UserLocation, rx.TimeZone}; !slices.Equal(q.RequiredAccessInfo, want) {
				t.Errorf("Required-Access-Info %v", q.RequiredAccessInfo)
			}
			if !slices.Contains(q.SpecificActions, rx.AccessNetworkInfoReport) {
				t.Errorf("Specific-Action %v", q.SpecificActions)
			}
			if f := q.SupportedFeatures; len(f) != 1 || f[0].FeatureList&rx.FeatureNetworkLocation == 0 {
				t.Errorf("Supported-Features %+v", f)
			}
			if q.MediaComponents[0].Number == 1 {
				id = session
			}
		}

		cell := []byte{0x82, 0x00, 0xf1, 0x10, 0x00, 0x01, 0x00, 0xf1, 0x10, 0x00, 0x00, 0x01, 0x01}
		report := func(action rx.SpecificAction, where []byte, radio *rx.RATType) *rx.RAR {
			q := &rx.RAR{SpecificActions: []rx.SpecificAction{action}, RATType: radio}
			q.UserLocation, q.TimeZone = where, []byte{0x40, 0x00}

			return q
		}

		for _, test := range []struct {
			name string
			said *rx.RAR
			want string
		}{
			{
				"a cell", report(rx.AccessNetworkInfoReport, cell, nil),
				`3GPP-E-UTRAN;utran-cell-id-3gpp=0010100010000101;local-time-zone="UTC+01:00";network-provided`,
			},
			{
				"another event", &rx.RAR{SpecificActions: []rx.SpecificAction{rx.UsageReport}},
				`3GPP-E-UTRAN;utran-cell-id-3gpp=0010100010000101;local-time-zone="UTC+01:00";network-provided`,
			},
			{"another access", report(rx.IPCANChange, cell, new(rx.WLAN)), `3GPP-WLAN;local-time-zone="UTC+01:00";network-provided`},
			{
				"the same access", report(rx.IPCANChange, cell, new(rx.EUTRAN)),
				`3GPP-E-UTRAN;utran-cell-id-3gpp=0010100010000101;local-time-zone="UTC+01:00";network-provided`,
			},
			{"what cannot be read", report(rx.AccessNetworkInfoReport, cell[:5], nil), ""},
			{
				"a cell again", report(rx.AccessNetworkInfoReport, cell, nil),
				`3GPP-E-UTRAN;utran-cell-id-3gpp=0010100010000101;local-time-zone="UTC+01:00";network-provided`,
			},
		} {
			if result, err := d.pcrf.Notify(t.Context(), id, test.said); err != nil || result != rx.Success {
				t.Errorf("%s: RAA %v %v", test.name, result, err)
			}
			if got := d.bearers.Place(signalling.UE).String(); got != test.want {
				t.Errorf("%s: %s, want %s", test.name, got, test.want)
			}
		}

		if listed := d.bearers.Sessions()[0].Place; listed == "" {
			t.Error("GET /bearers does not have the place")
		}

		registration.End()
		synctest.Wait()
		if d.bearers.Place(signalling.UE).String() == "" {
			t.Error("another session's end takes the place along")
		}

		call.End()
		synctest.Wait()
		if got := d.bearers.Place(signalling.UE).String(); got != "" {
			t.Errorf("when all is over: %s", got)
		}
		if result, err := d.pcrf.Notify(t.Context(), id, report(rx.AccessNetworkInfoReport, cell, nil)); err != nil ||
			result.Code != rx.UnknownSessionID.Code {
			t.Errorf("RAA of a session that is over: %v %v", result, err)
		}
		d.none()
	})
}
