package ims

import (
	"fmt"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

// ServedUser is P-Served-User (RFC 5502, RFC 8498; TS 24.229 §5.4.3.2, §5.4.3.3): the user whom an application server serves, and the
// session case.
type ServedUser struct {
	grammar.NameAddr
	Case         ServedCase
	Unregistered bool // regstate=unreg
}

// ServedCase is the session case in P-Served-User.
type ServedCase int

// The session cases of P-Served-User.
const (
	ServedCaseUnknown ServedCase = iota
	ServedOriginating
	ServedTerminating
	ServedOriginatingCDIV // RFC 8498
)

// ParseServedUser parses the header field.
func ParseServedUser(value string) (ServedUser, error) {
	a, err := grammar.ParseNameAddr(value)
	if err != nil {
		return ServedUser{}, err
	}

	u := ServedUser{NameAddr: a}
	u.Params = nil

	for _, p := range a.Params {
		switch strings.ToLower(p.Name) {
		case "sescase":
			switch text := p.Text(); strings.ToLower(text) {
			case "orig":
				u.Case = ServedOriginating
			case "term":
				u.Case = ServedTerminating
			default:
				return ServedUser{}, fmt.Errorf("%w: sescase %q", grammar.ErrSyntax, clip(text))
			}
		case "orig-cdiv":
			u.Case = ServedOriginatingCDIV
		case "regstate":
			text := p.Text()

			u.Unregistered = strings.EqualFold(text, "unreg")
			if !u.Unregistered && !strings.EqualFold(text, "reg") {
				return ServedUser{}, fmt.Errorf("%w: regstate %q", grammar.ErrSyntax, clip(text))
			}
		default:
			u.Params = append(u.Params, p)
		}
	}

	return u, nil
}

// String returns the header field value. An unknown case is left out together with the registration state. Originating after call
// diversion has neither of the two older parameters (RFC 8498).
func (u ServedUser) String() string {
	state := ";regstate=reg"
	if u.Unregistered {
		state = ";regstate=unreg"
	}

	text := grammar.NameAddr{Display: u.Display, URI: u.URI}.String()

	switch u.Case {
	case ServedOriginating:
		text += ";sescase=orig" + state
	case ServedTerminating:
		text += ";sescase=term" + state
	case ServedOriginatingCDIV:
		text += ";orig-cdiv"
	case ServedCaseUnknown:
	}

	return text + u.Params.String()
}
