package call

import (
	"errors"
	"strconv"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Timer is this S-CSCF's configuration of session timers (RFC 4028 §8, TS 24.229 §5.4.3.2, §5.4.3.3).
type Timer struct {
	SessionExpires time.Duration `yaml:"session_expires"` // requested if nobody requests one, and the longest; 0: as the parties want
	MinSE          time.Duration `yaml:"min_se"`          // a shorter one is refused with 422
}

// Validate refuses settings that cannot work.
func (t *Timer) Validate() error {
	if t.MinSE < leastMinSE || t.SessionExpires != 0 && t.SessionExpires < t.MinSE {
		return errors.New("sessions.timer: min_se must be 90s or more (RFC 4028 §5), session_expires 0 or not below it")
	}

	return nil
}

const leastMinSE = 90 * time.Second

// Interval is a session interval that was requested, and whether the caller's side supports session timers.
type Interval struct {
	length    time.Duration
	supported bool
}

// Ask returns the interval of a request that begins or refreshes a session, and sets the Session-Expires that this proxy passes on (RFC
// 4028 §8.1). An interval that is too short is refused with 422.
func (t Timer) Ask(r *sip.Request) (Interval, *sip.Refusal) {
	if !r.IsInvite() && r.Method != "UPDATE" {
		return Interval{}, nil
	}

	i := Interval{
		length:    seconds(r, "Session-Expires"),
		supported: sip.HasToken(r, "Supported", "timer") || sip.HasToken(r, "Require", "timer"),
	}
	least := max(seconds(r, "Min-SE"), t.MinSE)
	wanted := i.length

	switch {
	case wanted > 0 && wanted < t.MinSE && i.supported:
		return i, sip.Refuse(422, "a session interval of "+inSeconds(wanted)+" s is less than the "+inSeconds(t.MinSE)+" s of this network",
			sip.NewHeader("Min-SE", inSeconds(t.MinSE)))
	case wanted > 0 && wanted < t.MinSE: // a sender without the extension cannot ask again
		wanted = t.MinSE
		sip.Set(r, "Min-SE", inSeconds(least))
	case wanted == 0 && t.SessionExpires > 0, t.SessionExpires > 0 && wanted > t.SessionExpires:
		wanted = max(t.SessionExpires, least)
		if i.length > 0 {
			wanted = min(wanted, i.length)
		}
	}

	if wanted != i.length {
		_, params := sip.ValueParams(r, "Session-Expires")
		sip.Set(r, "Session-Expires", inSeconds(wanted)+params.String())
	}

	i.length = wanted

	return i, nil
}

// Answer sets the session's interval in a response. When the caller's side knows session timers and the answering side does not, the
// caller refreshes (RFC 4028 §8.2). An interval longer than the one requested, which is not allowed (§9), is shortened: the session would
// outlive its parties.
func (t Timer) Answer(asked Interval, r *sip.Response) {
	if !r.IsSuccess() || asked.length == 0 {
		return
	}

	answered := seconds(r, "Session-Expires")

	switch {
	case answered > asked.length:
		_, params := sip.ValueParams(r, "Session-Expires")
		sip.Set(r, "Session-Expires", inSeconds(asked.length)+params.String())
	case answered == 0 && asked.supported:
		sip.Set(r, "Session-Expires", inSeconds(asked.length)+";refresher=uac")

		if !sip.HasToken(r, "Require", "timer") {
			sip.Add(r, "Require", "timer")
		}
	}
}

// seconds returns a header field of delta-seconds; 0 if it cannot be read.
func seconds(m sip.Message, name string) time.Duration {
	text, _ := sip.ValueParams(m, name)

	return time.Duration(sip.Seconds(text, 0)) * time.Second
}

func inSeconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
