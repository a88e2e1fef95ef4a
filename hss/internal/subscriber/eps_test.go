package subscriber

import (
	"strings"
	"testing"
)

func TestEPSThatNoMMECouldBeTold(t *testing.T) {
	rates := BitRates{Uplink: 1, Downlink: 1}
	good := func() *EPS {
		return &EPS{AMBR: rates, APNs: []APN{
			{Name: "internet", PDNType: IPv4v6, QCI: 9, ARP: ARP{Priority: 8}, AMBR: rates, Addresses: []string{"10.45.0.2", "2001:db8::2"}},
			{Name: "ims", PDNType: IPv4, QCI: 5, ARP: ARP{Priority: 1}, AMBR: rates},
		}}
	}

	if err := good().Validate(); err != nil {
		t.Error(err)
	}
	if err := new(EPS).Validate(); err != nil {
		t.Errorf("no APN is no EPS subscription: %v", err)
	}

	for name, test := range map[string]struct {
		change func(*EPS)
		want   string
	}{
		"no AMBR":                   {func(e *EPS) { e.AMBR.Uplink = 0 }, "ambr"},
		"a default that is not":     {func(e *EPS) { e.DefaultAPN = "none" }, "default_apn"},
		"a radio that is none":      {func(e *EPS) { e.NotAllowed = []RadioAccess{"utran"} }, "not_allowed"},
		"an APN twice":              {func(e *EPS) { e.APNs[1].Name = "INTERNET" }, "stands twice"},
		"too many APNs":             {func(e *EPS) { e.APNs = make([]APN, maxAPNs+1) }, "more than"},
		"a name with a space":       {func(e *EPS) { e.APNs[0].Name = "the net" }, "network identifier"},
		"a name with an empty part": {func(e *EPS) { e.APNs[0].Name = "the..net" }, "network identifier"},
		"a name with a hyphen last": {func(e *EPS) { e.APNs[0].Name = "net-" }, "network identifier"},
		"a long name":               {func(e *EPS) { e.APNs[0].Name = strings.Repeat("n", 63) }, "network identifier"},
		"no PDN type":               {func(e *EPS) { e.APNs[0].PDNType = "" }, "pdn_type"},
		"no QCI":                    {func(e *EPS) { e.APNs[0].QCI = 0 }, "qci"},
		"QCI 255":                   {func(e *EPS) { e.APNs[0].QCI = 255 }, "qci"},
		"no priority":               {func(e *EPS) { e.APNs[0].ARP.Priority = 0 }, "arp.priority"},
		"priority 16":               {func(e *EPS) { e.APNs[0].ARP.Priority = 16 }, "arp.priority"},
		"no AMBR of an APN":         {func(e *EPS) { e.APNs[0].AMBR.Downlink = 0 }, "ambr"},
		"no address":                {func(e *EPS) { e.APNs[0].Addresses = []string{"here"} }, "addresses"},
		"an address with a zone":    {func(e *EPS) { e.APNs[0].Addresses = []string{"fe80::1%eth0"} }, "addresses"},
		"two of one family":         {func(e *EPS) { e.APNs[0].Addresses = []string{"10.45.0.2", "10.45.0.3"} }, "each family"},
		"IPv6 of an IPv4 APN":       {func(e *EPS) { e.APNs[1].Addresses = []string{"2001:db8::2"} }, "pdn_type"},
		"IPv4 of an IPv6 APN": {func(e *EPS) {
			e.APNs[1].PDNType, e.APNs[1].Addresses = IPv6, []string{"10.45.0.2"}
		}, "pdn_type"},
	} {
		e := good()
		test.change(e)
		if err := e.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// The EPS data of a SIM is returned as stored, and unset fields stay unset.
func TestEPSIsKept(t *testing.T) { eachDatabase(t, epsIsKept) }

func epsIsKept(t *testing.T, c Config) {
	s := opened(t, c)
	subscription := alice(s)
	subscription.Private[0].IMSI = "001010000000001"
	save(t, s, subscription)

	look := func() (p *PrivateIdentity) {
		err := s.View(t.Context(), func(tx *Tx) (err error) {
			_, p, err = tx.SIM("001010000000001")
			return err
		})
		if err != nil || p == nil {
			t.Fatalf("%+v, %v", p, err)
		}

		return p
	}

	if p := look(); p.EPS != nil || p.MME.Host != "" || p.MME.Served() || !p.MME.Since.IsZero() {
		t.Errorf("new: %+v, %+v", p.EPS, p.MME)
	}

	for _, e := range []*EPS{{}, {DefaultAPN: "ims", APNs: []APN{{Name: "ims", Addresses: []string{"10.45.0.2"}}}}, nil} {
		subscription = lookup(t, s, "001@home", "").Subscription
		subscription.Private[0].EPS = e
		save(t, s, subscription)

		if p := look(); (p.EPS == nil) != (e == nil) || e != nil && (p.EPS.DefaultAPN != e.DefaultAPN || len(p.EPS.APNs) != len(e.APNs)) {
			t.Errorf("%+v is %+v", e, p.EPS)
		}
	}

	for _, imsi := range []string{"", "001019999999999"} {
		err := s.View(t.Context(), func(tx *Tx) error {
			if _, p, err := tx.SIM(imsi); err != nil || p != nil {
				t.Errorf("IMSI %q: %+v, %v", imsi, p, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
