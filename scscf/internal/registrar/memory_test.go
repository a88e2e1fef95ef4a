package registrar

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/scscf/internal/schedule"
)

// obedientHSS gives every user two public identities and the same services.
type obedientHSS struct{}

func (obedientHSS) MultimediaAuth(context.Context, *cx.MAR) (*cx.MAA, error) { panic("no challenge") }

func (obedientHSS) ServerAssignment(_ context.Context, q *cx.SAR) (*cx.SAA, error) {
	var number int
	if _, err := fmt.Sscanf(q.UserName, "%d@", &number); err != nil {
		return nil, err
	}

	a := &cx.SAA{UserName: q.UserName}
	a.Result = cx.Success
	a.UserData = []byte(document(q.UserName, profileOfTest(someCriterion, "sip:"+q.UserName, fmt.Sprintf("tel:+1%010d", number))))

	return a, nil
}

func crowd(t testing.TB) (r *Registrar, registerOne func(number int)) {
	policy := DefaultPolicy()
	policy.Authentication.TrustAlways = []string{"auth-done"}

	r = New(
		policy,
		Options{
			HSS:          obedientHSS{},
			Schedule:     schedule.New(),
			HomeDomain:   homeDomain,
			ServiceRoute: "sip:orig@127.0.0.12:5060;lr",
			Log:          slog.New(slog.DiscardHandler),
		},
	)

	return r, func(number int) {
		const home = "ims.mnc001.mcc001.3gppnetwork.org"

		private := fmt.Sprintf("%015d@%s", number, home)
		text := registerText(
			"sip:"+private,
			fmt.Sprintf("a84b4c76e66710f0b%d@10.46.0.2", number),
			2,
			fmt.Sprintf(
				"Contact: <sip:4409cbde-32f0-4b30-8b43-%012d@10.45.%d.%d:5060>;+sip.instance=\"<urn:gsma:imei:86020404-%06d-0>\";"+
					"+g.3gpp.icsi-ref=\"urn%%3Aurn-7%%3A3gpp-service.ims.icsi.mmtel\";+g.3gpp.smsip;audio;video",
				number,
				number/250%250,
				number%250,
				number,
			),
			`Authorization: Digest username="`+private+`",realm="`+home+`",uri="sip:`+home+`",nonce="",response="",integrity-protected="auth-done"`,
		)
		x := &transaction{request: parse(t, text)}

		if r.HandleRegister(context.Background(), x); x.answer.StatusCode != 200 {
			t.Fatalf("%s", x.answer)
		}
	}
}

// TestLiveBytesOfASubscriber: a subscriber with two public identities, and contacts as real handsets write them, takes little memory.
func TestLiveBytesOfASubscriber(t *testing.T) {
	const subscribers, most = 3_000, 2048

	r, registerOne := crowd(t)
	registerOne(0)

	live := func() uint64 {
		runtime.GC()
		runtime.GC()

		var m runtime.MemStats
		runtime.ReadMemStats(&m)

		return m.HeapAlloc
	}

	before := live()
	for number := 1; number <= subscribers; number++ {
		registerOne(number)
	}

	each := (live() - before) / subscribers
	t.Logf("%d bytes live for each of %d subscribers", each, r.store.count())

	if each > most {
		t.Errorf("%d bytes live for each subscriber, want at most %d", each, most)
	}

	runtime.KeepAlive(r)
}

func BenchmarkRegister(b *testing.B) {
	_, registerOne := crowd(b)

	b.ReportAllocs()

	for number := 0; b.Loop(); number++ {
		registerOne(number)
	}
}

func BenchmarkLookup(b *testing.B) {
	r, registerOne := crowd(b)
	registerOne(1)

	public := "sip:000000000000001@ims.mnc001.mcc001.3gppnetwork.org"

	b.ReportAllocs()

	for b.Loop() {
		if user, found := r.Lookup(public); !found || len(user.Bindings) != 1 || user.Bindings[0].Expires.Before(time.Now()) {
			b.Fatal("not found")
		}
	}
}
