package gm

import (
	"errors"
	"strconv"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/dialog"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// refuse answers a request that is not forwarded.
func (p *Proxy) refuse(tx sip.Answering, direction string, refusal *sip.Refusal) {
	sip.Refuser{Log: p.log, Count: p.counted}.Refuse(tx, direction, refusal)
}

func (p *Proxy) counted(direction, method string, status int) {
	p.outcomes.WithLabelValues(direction, label.Method(method), label.Status(status)).Inc()
}

// refusalOf returns the refusal that an error means to the sender of a request; by default, that something in it cannot be parsed.
func refusalOf(err error, fromCore bool) *sip.Refusal {
	switch {
	case errors.Is(err, binding.ErrFull):
		return sip.Refuse(503, err.Error()+" (max_bindings)", retryAfter(time.Minute))
	case errors.Is(err, binding.ErrGuests), errors.Is(err, binding.ErrGuestsHere):
		return sip.Refuse(503, err.Error())
	case errors.Is(err, dialog.ErrTooMany) && fromCore:
		return sip.Refuse(486, err.Error())
	case errors.Is(err, dialog.ErrTooMany), errors.Is(err, binding.ErrUnknown), errors.Is(err, binding.ErrAnother),
		errors.Is(err, binding.ErrSeveral):
		return sip.Refuse(403, err.Error())
	default:
		return sip.Refuse(400, err.Error())
	}
}

func retryAfter(wait time.Duration) sip.Header {
	return sip.NewHeader("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
}
