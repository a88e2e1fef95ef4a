package app

import (
	"crypto/subtle"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/test/openapi"
	"github.com/dialtone-ims/dialtone/test/postgres"
)

func TestMain(m *testing.M) {
	status := openapi.Main(m, OpenAPI)
	postgres.Stop()
	os.Exit(status)
}

// Two HSSs share PostgreSQL and the key file: what is provisioned or registered at one is valid at the other, and no sequence number is
// given out twice (TS 33.102 annex C).
func TestTwoHSSsOnPostgres(t *testing.T) {
	dsn, keys := postgres.Database(t), filepath.Join(t.TempDir(), "hss.keys")
	on := func() *Config {
		c := settings(t)
		c.Database = Database{DSN: dsn, KeyFile: keys}
		return c
	}

	one, two := start(t, on()), start(t, on())
	private := one.add("001010000000001", "15550001")
	public := "sip:" + private
	first, second := connect(t, one, "scscf"), connect(t, two, "icscf")

	want(t, "provisioned at one", second.uar(private, public).Result, cx.FirstRegistration)
	want(t, "registered at one", first.mar(private, public, scscfURI).Result, cx.Success)
	want(t, "registered at one", first.sar(cx.AssignRegistration, private, scscfURI, public).Result, cx.Success)
	want(t, "and there at the other", second.lir("tel:+15550001").ServerName, scscfURI)

	const each, vectors = 20, 3

	var (
		mu   sync.Mutex
		seen = map[aka.SQN]bool{}
		all  sync.WaitGroup
	)

	algorithm := aka.NewMilenage([16]byte(octets(t, k)), [16]byte(octets(t, opc)))
	for _, p := range []*peer{first, second, first, second} {
		all.Go(func() {
			for range each {
				a := p.mar(private, public, scscfURI, func(q *cx.MAR) { q.NumberOfAuthVectors = vectors })
				mu.Lock()
				for _, item := range a.AuthDataItems {
					_, _, _, ak := algorithm.F2345([16]byte(item.Authenticate[:16]))
					var sqn [6]byte
					subtle.XORBytes(sqn[:], item.Authenticate[16:22], ak[:])
					seen[aka.SQNFromBytes(sqn)] = true
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	want(t, "sequence numbers that differ", len(seen), 4*each*vectors)

	two.api("PUT", "/subscribers/001010000000001/public-identities/tel:+15550001",
		provisioning.PlacedIdentity{PublicIdentity: provisioning.PublicIdentity{Barred: true, ServiceProfile: "default"}}, nil)
	first.pushed(1) // whichever of the two is connected to the S-CSCF

	one.stop()
	three := start(t, on())
	want(t, "after a restart", connect(t, three, "scscf").uar(private, public).Result, cx.SubsequentRegistration)

	three.api("DELETE", "/subscribers/001010000000001", nil, nil)
	want(t, "deleted at one", second.uar(private, public).Result, cx.ErrorUserUnknown)
}

// Readers of the API have connections of their own and never wait for a statement that Cx prepares, nor the reverse: right after the start,
// when nothing has been prepared yet, many MARs and many queries of the API are all answered.
func TestPostgresServesCxAndTheAPITogether(t *testing.T) {
	const users, queries = 48, 16

	c := settings(t)
	c.Database = Database{DSN: postgres.Database(t), KeyFile: filepath.Join(t.TempDir(), "hss.keys")}
	h := start(t, c)
	for i := range users {
		h.add(fmt.Sprintf("0010100000%05d", i), fmt.Sprint(15550000+i))
	}
	h.stop()

	h = start(t, c)
	scscf := connect(t, h, "scscf")

	var all sync.WaitGroup
	for i := range users {
		all.Go(func() {
			private := fmt.Sprintf("0010100000%05d@%s", i, home)
			want(t, "MAR", scscf.mar(private, "sip:"+private, scscfURI).Result, cx.Success)
			want(t, "SAR", scscf.sar(cx.AssignRegistration, private, scscfURI, "sip:"+private).Result, cx.Success)
			want(t, "LIR", scscf.lir("sip:"+private).Result, cx.Success)
		})
	}
	for i := range queries {
		all.Go(func() {
			imsi := fmt.Sprintf("0010100000%05d", i)
			for _, path := range []string{
				"/pushes", "/subscribers?imsi=" + imsi, "/subscribers?msisdn=1555", "/subscribers/" + imsi,
				"/subscribers/" + imsi + "/private-identities/" + imsi + "@" + home + "/keys", "/service-profiles", "/subscribers?limit=5",
			} {
				if err := h.Do(t.Context(), "GET", path, nil, nil); err != nil {
					t.Errorf("GET %s: %v", path, err)
				}
			}
		})
	}
	eventually(t, "ready beside the load", func() bool { return h.built.Ready() == nil })
	all.Wait()
}
