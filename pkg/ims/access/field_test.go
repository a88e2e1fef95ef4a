package access_test

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/ims/access"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// What the network says counts before what the handset says, wherever it stands.
func TestWhoseWordCounts(t *testing.T) {
	const own, network = "IEEE-802.11;i-wlan-node-id=1", "3GPP-E-UTRAN;Network-Provided"

	for name, test := range map[string]struct {
		values     []string
		of, stated string
	}{
		"none":            {nil, "", ""},
		"the handset's":   {[]string{own}, own, own},
		"the network's":   {[]string{network}, network, ""},
		"both":            {[]string{own, network}, network, own},
		"the other way":   {[]string{network, own}, network, own},
		"in one line":     {[]string{own + ", " + network}, network, own},
		"two own":         {[]string{own, "3GPP-NR"}, own, own},
		"two own and its": {[]string{own, "3GPP-NR", network}, network, own},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := sip.NewRequest("MESSAGE", "sip:bob@ims.example")
			if err != nil {
				t.Fatal(err)
			}

			for _, value := range test.values {
				sip.Add(r, "P-Access-Network-Info", value)
			}

			if of, stated := access.Of(r), access.Stated(r); of != test.of || stated != test.stated {
				t.Errorf("%q counts, and %q is the handset's word", of, stated)
			}
		})
	}
}
