package core

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/trace"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// challenged tells by which algorithms the P-CSCF has seen handsets being challenged.
func challenged(n *network.Network) (algorithms string) {
	n.Helper()

	var records []trace.Record
	if err := httpapi.Local("http://127.0.0.10:9090").Do(n.Context(), "GET", "/trace?limit=10000", nil, &records); err != nil {
		n.Fatal(err)
	}
	for _, r := range records {
		for line := range strings.Lines(string(r.Data)) {
			name, value, _ := strings.Cut(line, ":")
			if !r.Sent || !strings.EqualFold(name, "WWW-Authenticate") {
				continue
			}
			challenge, err := digest.ParseChallenge(strings.TrimSpace(value))
			if err != nil {
				n.Fatal(err)
			}
			algorithms += challenge.Algorithm + " "
		}
	}

	return algorithms
}

// Registration, resynchronisation, refreshing and taking back by each algorithm of AKA, as the S-CSCF asks for it or the HSS decides.
func TestAKAAlgorithms(t *testing.T) {
	for _, test := range []struct{ name, algorithm, setting string }{
		{"RFC 3310 as it comes", "AKAv1-MD5", "DIALTONE_HSS_LOG_LEVEL=info"},
		{"RFC 4169 asked for by the S-CSCF", "AKAv2-MD5", "DIALTONE_SCSCF_REGISTRAR_AUTHENTICATION_SCHEME=Digest-AKAv2-MD5"},
		{"SHA-256 asked for by the S-CSCF", "AKAv2-SHA-256", "DIALTONE_SCSCF_REGISTRAR_AUTHENTICATION_SCHEME=Digest-AKAv2-SHA-256"},
		{"SHA-256 as the HSS decides", "AKAv2-SHA-256", "DIALTONE_HSS_CX_AKA=Digest-AKAv2-SHA-256"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := network.Start(t, test.setting)
			h := n.Registered(n.Subscribe(0, ""), nil)
			if err := h.Register(t.Context()); err != nil {
				t.Errorf("refreshing: %v", err)
			}
			if err := h.Deregister(t.Context()); err != nil {
				t.Errorf("taking it back: %v", err)
			}

			ahead := n.Registered(n.Subscribe(0, ""), func(c *handset.Config) { c.SQN = aka.SQN(1 << 30) })
			if got := ahead.SIM().SQN(); got <= 1<<30 {
				t.Errorf("SQN %d, want more than where the SIM was", got)
			}
			if got := challenged(n); strings.ReplaceAll(got, test.algorithm+" ", "") != "" || strings.Count(got, " ") < 3 {
				t.Errorf("challenged by %s, want %s alone", got, test.algorithm)
			}
		})
	}
}
