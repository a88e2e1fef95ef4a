package attempt

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

func TestSays(t *testing.T) {
	now := time.Now()
	refused := Step{Time: now, Kind: Authorization, Result: cx.ErrorRoamingNotAllowed, Reason: "x may not be served in y"}

	for _, test := range []struct {
		name  string
		steps []Kind
		ago   time.Duration
		says  string
	}{
		{"nothing", nil, 0, ""},
		{"the first UAR", []Kind{Authorization}, 0, "no S-CSCF has asked for a challenge"},
		{"capabilities are asked for", []Kind{Authorization, Capabilities}, 0, "no S-CSCF has asked for a challenge"},
		{"challenged", []Kind{Authorization, Challenge}, time.Second, "challenged 1 s ago, no answer yet"},
		{"it does not answer", []Kind{Authorization, Challenge}, 9 * time.Second, "challenged 9 s ago, no answer yet: K or OPc"},
		{
			"it begins again and again, and never answers",
			[]Kind{Registration, Authorization, Challenge, Authorization, Challenge, AuthenticationTimeout, Authorization, Challenge},
			time.Second,
			"challenged 1 s ago, no answer yet; 3 challenges in a row without a right answer: K or OPc",
		},
		{"the timer has run out", []Kind{Authorization, Challenge, AuthenticationTimeout}, 0, "never answered the challenge"},
		{
			"it answers wrongly",
			[]Kind{Authorization, Challenge, Authorization},
			0,
			"it has answered the challenge, and the S-CSCF has not said more",
		},
		{
			"the S-CSCF says so",
			[]Kind{Authorization, Challenge, Authorization, AuthenticationFailure},
			0,
			"its answer to the challenge was wrong",
		},
		{"AUTS", []Kind{Authorization, Challenge, Authorization, Resynchronisation}, 0, "sequence number was ahead"},
		{"registered", []Kind{Authorization, Challenge, Authorization, Registration}, 0, "registered"},
		{"refreshed", []Kind{Registration, Authorization, ReRegistration}, 0, "registered"},
		{"refreshed without SAR", []Kind{Registration, Authorization}, 0, "refreshed without a challenge"},
		{"leaving", []Kind{Registration, Leaving}, 0, "about to leave"},
		{"gone", []Kind{Registration, Leaving, Deregistration}, 0, "it has left"},
		{
			"it came back, after it had left",
			[]Kind{Registration, Leaving, Deregistration, Authorization},
			0,
			"no S-CSCF has asked for a challenge",
		},
		{"forgotten", []Kind{Registration, Timeout}, 0, "did not refresh in time"},
		{"ended", []Kind{Registration, Administrative}, 0, "the S-CSCF has ended the registration"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var a Attempt
			for _, kind := range test.steps {
				a.Steps = append(a.Steps, Step{Time: now.Add(-test.ago), Kind: kind, Result: diameter.Success})
			}

			if got := a.Says(now, User{}); !strings.Contains(got, test.says) || got == "" != (test.says == "") {
				t.Errorf("it says %q, want %q", got, test.says)
			}

			a.Steps = append(a.Steps, refused)
			if got := a.Says(now, User{}); got != refused.Reason {
				t.Errorf("of a refusal it says %q", got)
			}
		})
	}

	for _, kind := range []Kind{Authorization, Challenge} {
		slow := Attempt{Steps: []Step{{Time: now, Kind: kind, Result: diameter.Success, Took: 7 * time.Second}}}
		if got := slow.Says(now, User{}); !strings.Contains(got, "this HSS took 7 s for its answer") {
			t.Errorf("of a late answer it says %q", got)
		}
	}

	first := Attempt{Steps: []Step{{Time: now, Kind: Authorization, Result: diameter.Success}}}
	if got := first.Says(now, User{}); !strings.Contains(got, "or this HSS's answer came too late for it") {
		t.Errorf("of an answer that may have come too late it says %q", got)
	}

	unknown := Attempt{Steps: []Step{{Kind: Authorization, Result: cx.ErrorUserUnknown, Reason: "no private identity x"}}}
	if got := unknown.Says(now, User{}); got != "no private identity x: it has not been added, or its card is of another network than this" {
		t.Errorf("of a stranger it says %q", got)
	}
}

// Requests from outside do not make the log grow, whatever identity they claim.
func TestBounded(t *testing.T) {
	l := NewLog()
	l.Add("", "sip:nobody", Step{Kind: Authorization})

	var all sync.WaitGroup

	for part := range 4 {
		all.Go(func() {
			for i := range maxAttempts {
				l.Add(fmt.Sprintf("%d-%d", part, i), "sip:x", Step{Kind: Authorization, Result: diameter.Success})
			}
		})
	}

	all.Wait()

	for i := range 3 * maxSteps {
		l.Add("alice", "sip:alice", Step{Time: time.Unix(int64(i), 0), Kind: Challenge, Result: diameter.Success})
	}

	list := l.List("")
	if len(list) != maxAttempts || len(l.all) != maxAttempts || list[0].PrivateIdentity != "alice" {
		t.Fatalf("%d attempts, %d by name; the last is %s", len(list), len(l.all), list[0].PrivateIdentity)
	}

	alice := l.List("alice")
	if len(alice) != 1 || len(alice[0].Steps) != maxSteps || !alice[0].Steps[maxSteps-1].Time.Equal(time.Unix(3*maxSteps-1, 0)) ||
		alice[0].PublicIdentity != "sip:alice" {
		t.Errorf("%+v", alice)
	}

	if got := l.List("bob"); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
