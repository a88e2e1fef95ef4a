package charging

import (
	"context"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Reauthorise serves a RAR (RFC 8506 §5.5): the session reports and requests credit again.
func (t *Trigger) Reauthorise(_ context.Context, q *ro.RAR) (*ro.RAA, error) {
	if !t.obey(q.SessionID, ReauthRequested, input{now: time.Now()}) {
		return nil, ro.UnknownSessionID
	}

	a := &ro.RAA{}
	a.Result = ro.LimitedSuccess

	return a, nil
}

const aborted = "the OCS ends the session"

// Abort serves an ASR (RFC 6733 §8.5): the call ends.
func (t *Trigger) Abort(_ context.Context, q *ro.ASR) (*ro.ASA, error) {
	cause := Normal.Because(sip.Refuse(480, aborted).Reasons[0].String())
	if !t.obey(q.SessionID, AbortRequested, input{now: time.Now(), why: aborted, cause: cause}) {
		return nil, ro.UnknownSessionID
	}

	a := &ro.ASA{}
	a.Result = ro.Success

	return a, nil
}

// obey passes an order to its session; it reports false if there is none, or the session does not comply.
func (t *Trigger) obey(id string, order Signal, in input) bool {
	s := t.session(id)
	if s == nil || order == AbortRequested && s.release == nil {
		return false
	}

	return s.obey(order, in)
}

// obey steps the session with an order. The effects follow the answer to the order, and are bounded by requestTime.
func (s *Session) obey(order Signal, in input) bool {
	due := s.step(order, in)
	if due.request != nil || due.release != nil {
		go func() { _ = s.talk(context.Background(), due) }()
	}

	return due.comply
}

func (t *Trigger) session(id string) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.open[id]
}
