package npcf_test

import (
	"encoding/json"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/npcf"
)

// A report of a PCF (TS 29.514 §5.6.2.12) as P-Access-Network-Info has it.
func TestWhere(t *testing.T) {
	const (
		plmn = `{"mcc":"001","mnc":"01"}`
		nr   = `"ueLoc":{"nrLocation":{"tai":{"plmnId":` + plmn + `,"tac":"000001"},"ncgi":{"plmnId":` + plmn + `,"nrCellId":"00000001f"}}}`
		lte  = `"ueLoc":{"eutraLocation":{"tai":{"plmnId":` + plmn + `,"tac":"0001"},
			"ecgi":{"plmnId":` + plmn + `,"eutraCellId":"000001f"}}}`
		long = `"ueLoc":{"eutraLocation":{"tai":{"plmnId":` + plmn + `,"tac":"000001"},
			"ecgi":{"plmnId":` + plmn + `,"eutraCellId":"000001f"}}}`
	)

	for name, test := range map[string]struct {
		said    string
		want    string
		refused bool
	}{
		"NR":              {nr, `3GPP-NR;utran-cell-id-3gpp=0010100000100000001F;network-provided`, false},
		"E-UTRA":          {lte, `3GPP-E-UTRAN;utran-cell-id-3gpp=001010001000001F;network-provided`, false},
		"E-UTRA of a 5GC": {long, `3GPP-E-UTRAN;utran-cell-id-3gpp=001010001000001F;network-provided`, false},
		"a time zone": {
			nr + `,"ueTimeZone":"-08:00+1"`, `3GPP-NR;utran-cell-id-3gpp=0010100000100000001F;local-time-zone="UTC-08:00";network-provided`, false,
		},
		"a time zone that is none": {
			nr + `,"ueTimeZone":"Europe"`, `3GPP-NR;utran-cell-id-3gpp=0010100000100000001F;network-provided`, false,
		},
		"a time zone that is far": {
			nr + `,"ueTimeZone":"+23:00"`, `3GPP-NR;utran-cell-id-3gpp=0010100000100000001F;network-provided`, false,
		},
		"not 3GPP's":                {`"ueLoc":{"n3gaLocation":{"ueIpv4Addr":"192.0.2.1"}}`, `3GPP-WLAN;network-provided`, false},
		"by the type of the radio":  {`"ratType":"NR"`, `3GPP-NR;network-provided`, false},
		"by that of E-UTRA":         {`"ratType":"EUTRA"`, `3GPP-E-UTRAN;network-provided`, false},
		"by the type of the access": {`"accessType":"NON_3GPP_ACCESS"`, `3GPP-WLAN;network-provided`, false},
		"by none":                   {`"accessType":"3GPP_ACCESS","ratType":"VIRTUAL"`, ``, false},
		"nowhere":                   {`"ueLoc":{}`, ``, false},
		"a cell that is none": {
			`"ueLoc":{"nrLocation":{"tai":{"plmnId":` + plmn + `,"tac":"000001"},"ncgi":{"plmnId":` + plmn + `,"nrCellId":"x"}}}`, ``, true,
		},
		"a network that is none": {`"ueLoc":{"nrLocation":{"tai":{"tac":"000001"},"ncgi":{"nrCellId":"00000001f"}}}`, ``, true},
		"an area that E-UTRA does not have": {
			`"ueLoc":{"eutraLocation":{"tai":{"tac":"123456"},"ecgi":{"plmnId":` + plmn + `,"eutraCellId":"000001f"}}}`, ``, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var n npcf.EventsNotification
			if err := json.Unmarshal([]byte("{"+test.said+"}"), &n); err != nil {
				t.Fatal(err)
			}

			info, err := n.Where()
			if got := info.String(); got != test.want || (err != nil) != test.refused {
				t.Errorf("%s %v\nwant %s", got, err, test.want)
			}
		})
	}
}

// Whatever a PCF says of a place, it is one value of the header field.
func FuzzWhere(f *testing.F) {
	f.Add(
		[]byte(
			`{"ueLoc":{"nrLocation":{"tai":{"plmnId":{"mcc":"001","mnc":"01"},"tac":"000001"},
			"ncgi":{"plmnId":{"mcc":"001","mnc":"01"},"nrCellId":"00000001f"}}}}`,
		),
	)
	f.Add([]byte(`{"ueLoc":{"eutraLocation":{"tai":{"tac":"0001"},"ecgi":{"eutraCellId":"000001f"}}},"ueTimeZone":"+01:00"}`))
	f.Add([]byte(`{"ratType":"WLAN","ueTimeZone":"-00:30+2"}`))

	f.Fuzz(func(t *testing.T, body []byte) {
		var n npcf.EventsNotification
		if json.Unmarshal(body, &n) != nil {
			return
		}

		info, err := n.Where()
		for _, r := range info.String() {
			if r <= ' ' || r > '~' || r == ',' {
				t.Errorf("%q", info.String())
			}
		}
		if err != nil && info.Class != "" {
			t.Errorf("%+v: %v", info, err)
		}
	})
}
