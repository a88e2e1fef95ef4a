package ims

import "strings"

// Written holds what an identity may mean that somebody wrote on a command line or in a URL, the likeliest meaning first.
type Written struct {
	Private []string // private identities
	Public  []string // canonical public identities
	IMSI    string   // digits, if it can be one
	MSISDN  string   // digits, if it can be one
}

// ParseWritten parses an identity in any form: IMSI, imsi:IMSI, user name, MSISDN with or without +, tel: or sip: URI, or user@domain.
// A name without a domain belongs to the given one. Nothing is looked up: the caller compares each meaning with what it knows.
func ParseWritten(text, domain string) (w Written) {
	text = strings.TrimSpace(text)

	scheme, rest, hasScheme := strings.Cut(text, ":")

	switch {
	case text == "":
	case hasScheme && strings.EqualFold(scheme, "imsi"):
		w.user(rest, domain)
		w.IMSI = rest
	case hasScheme:
		w.public(text)

		if number, global := strings.CutPrefix(Number(text), "+"); global {
			w.MSISDN = number
		}
	case strings.HasPrefix(text, "+"):
		w.number(text, domain)
	case strings.Contains(text, "@"):
		w.Private = append(w.Private, text)
		w.public("sip:" + text)
	default:
		w.user(text, domain)

		if strings.Trim(text, "0123456789") == "" {
			w.IMSI = text
			w.number("+"+text, domain)
		}
	}

	return w
}

// Means reports whether one of the meanings is this private identity, or a public identity of it.
func (w Written) Means(private string, public ...string) bool {
	for _, meant := range w.Private {
		if meant == private {
			return true
		}
	}

	for _, uri := range public {
		for _, meant := range w.Public {
			if SameIdentity(meant, uri) {
				return true
			}
		}
	}

	user, _, _ := strings.Cut(private, "@")

	return w.IMSI != "" && user == w.IMSI // of another network than this
}

func (w *Written) user(name, domain string) {
	w.Private = append(w.Private, name+"@"+domain, name) // some phones leave the domain out
	w.public("sip:" + name + "@" + domain)
}

func (w *Written) number(number, domain string) {
	w.public("tel:" + number)
	w.public("sip:" + number + "@" + domain)

	if len(w.Public) > 0 {
		w.MSISDN = strings.TrimPrefix(Number(w.Public[len(w.Public)-1]), "+")
	}
}

func (w *Written) public(uri string) {
	if canonical, err := CanonicalIdentity(uri); err == nil {
		w.Public = append(w.Public, canonical)
	}
}
