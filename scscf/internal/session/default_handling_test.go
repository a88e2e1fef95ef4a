package session

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// withServer runs a test with a desk whose alice has an application server for all her requests of one method.
func withServer(t *testing.T, method string, timeout time.Duration, test func(t *testing.T, d *desk)) {
	t.Helper()
	withDesk(t, func(d *desk) {
		d.config.ServerTimeout = timeout
		c := criterion(ifc.Originating)
		c.TriggerPoint.SPTs[0].Method = &method
		d.user(alice, registration.Registered, c)
	}, test)
}

// handBack has the application server send a request on, as a proxy does.
func (d *desk) handBack(r *sip.Request) {
	d.t.Helper()

	routes, err := sip.Routes(r)
	if err != nil || len(routes) != 2 {
		d.t.Fatalf("Route %v: %v", routes, err)
	}

	d.send(d.as, string(r.Method), r.Recipient.String(), "<"+routes[1].URI+">")
}

// TestDefaultHandling: default handling is for a server that does not answer, or whose first response is 408 or 5xx (TS 24.229 §5.4.3.2).
func TestDefaultHandling(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []int // of the AS; none: it is silent
		dead    bool
		status  int // that the caller gets from an AS that is alive
	}{
		{"silent", nil, true, 0},
		{"408", []int{408}, true, 0},
		{"500", []int{500}, true, 0},
		{"503", []int{503}, true, 0},
		{"580", []int{580}, true, 0},
		{"100, then 500", []int{100, 500}, false, 500},
		{"183, then 500", []int{183, 500}, false, 500},
		{"100, then 408", []int{100, 408}, false, 408},
		{"480", []int{480}, false, 480},
		{"603", []int{603}, false, 603},
	} {
		t.Run(test.name, func(t *testing.T) {
			withServer(t, "INVITE", 0, func(t *testing.T, d *desk) {
				d.send(d.pcscf, "INVITE", bob, serviceRoute)
				r := d.as.Request("INVITE")
				for _, status := range test.answers {
					d.as.Answer(r, status, "To: <"+bob+">;tag=as")
				}
				if !test.dead {
					for _, status := range test.answers {
						if status != 100 {
							d.pcscf.Response(status)
						}
					}
					d.icscf.Silent()
					return
				}
				began := time.Now()
				d.icscf.Answer(d.icscf.Request("INVITE"), 486)
				d.pcscf.Response(486)
				if took := time.Since(began); len(test.answers) == 0 && took < 31*time.Second {
					t.Errorf("the server had %s", took)
				}
			})
		})
	}
}

// TestAnswerThroughAnApplicationServer: a server that has handed the request back is alive (TS 24.229 §5.4.3.2). A response through it is
// that of the other end, which is not called a second time past the server.
func TestAnswerThroughAnApplicationServer(t *testing.T) {
	for _, status := range []int{408, 480, 500, 503, 580} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			withServer(t, "INVITE", 0, func(t *testing.T, d *desk) {
				d.send(d.pcscf, "INVITE", bob, serviceRoute)
				r := d.as.Request("INVITE") // without a 100: the request that comes back says enough
				d.handBack(r)
				d.icscf.Answer(d.icscf.Request("INVITE"), status)
				through := status
				if status == 503 { // RFC 3261 §16.7 6
					through = 500
				}
				d.as.Response(through)
				d.as.Answer(r, status)
				d.pcscf.Response(through)
				d.icscf.All()
				time.Sleep(time.Minute)
				d.icscf.Silent()
			})
		})
	}
}

// TestTimeOfAnApplicationServer: silence is not failure yet (TS 24.229 §5.4.3.2). A message has timer F at a server, as the handset
// behind it may be paged.
func TestTimeOfAnApplicationServer(t *testing.T) {
	for _, test := range []struct {
		name    string
		timeout time.Duration
		back    bool
		takes   time.Duration
		dead    bool
	}{
		{name: "20 s by default", takes: 20 * time.Second},
		{name: "longer than the setting", timeout: 5 * time.Second, takes: 20 * time.Second, dead: true},
		{name: "longer than the setting, but it has handed the request back", timeout: 5 * time.Second, back: true, takes: 20 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			withServer(t, "MESSAGE", test.timeout, func(t *testing.T, d *desk) {
				d.send(d.pcscf, "MESSAGE", bob, serviceRoute)
				r := d.as.Request("MESSAGE")
				if test.back {
					d.handBack(r)
					d.icscf.Request("MESSAGE")
				}
				time.Sleep(test.takes)
				synctest.Wait()
				if past := len(d.icscf.All()) > 0; past != (test.dead || test.back) {
					t.Errorf("past the server: %v", past)
				}
				d.as.Answer(r, 202)
				if !test.dead {
					d.pcscf.Response(202)
				}
			})
		})
	}
}

// TestLateHandBack: a request that a server hands back after it was taken for dead has gone on without it already: nobody is called
// twice.
func TestLateHandBack(t *testing.T) {
	withServer(t, "INVITE", 5*time.Second, func(t *testing.T, d *desk) {
		d.send(d.pcscf, "INVITE", bob, serviceRoute)
		r := d.as.Request("INVITE")
		past := d.icscf.Request("INVITE")
		d.icscf.Answer(past, 180, "To: <"+bob+">;tag=b")
		d.pcscf.Response(180)
		d.as.All()
		d.handBack(r)
		d.as.Response(481)
		d.icscf.Silent()
		d.icscf.Answer(past, 486, "To: <"+bob+">;tag=b")
		d.pcscf.Response(486)
	})
}
