package trust

import (
	"net/netip"
	"regexp"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

// hidden stands for an address in a text.
const hidden = "a hidden address"

// host is what may name one: a SIP URI, an IP address with a port or without, a name with a port.
var host = regexp.MustCompile(`(?i)\bsips?:(?:[^\s"'<>,;()\[\]]*@)?(?:\[[0-9a-f:.]+(?:%[0-9a-z]+)?\]|[^\s"'<>,;()\[\]:@]+)(?::\d+)?` +
	`|\[[0-9a-f.]*:[0-9a-f:.]*(?:%[0-9a-z]+)?\](?::\d+)?|\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?` +
	`|\b[0-9a-z-]+(?:\.[0-9a-z-]+)+:\d+\b|\b[0-9]*[a-z][0-9a-z-]*:\d{4,5}\b|[0-9a-f]*:[0-9a-f:.]*:[0-9a-f]*`)

// hideAddresses removes addresses of the core from Reason: "no answer from 192.0.2.77:5060" helps those who read the core's log, and
// shows everybody else where the core is. Identities of users stay.
func hideAddresses(m sip.Message) {
	named := false

	sip.EachField(m, "Reason", func(value string) bool {
		named = host.MatchString(value)
		return !named
	})

	if !named {
		return
	}

	values := sip.Values(m, "Reason")

	sip.Remove(m, "Reason")

	for _, value := range values {
		if value = shown(value); value != "" {
			sip.Add(m, "Reason", value)
		}
	}
}

// shown returns one value of Reason (RFC 3326 §2) as others may see it: addresses in its text are replaced, and other parameters that have
// one are left out. "" is for what cannot be shown at all.
func shown(value string) string {
	protocol, params, err := grammar.ParseValue(value)
	if err != nil || withoutAddresses(protocol) != protocol {
		if withoutAddresses(value) != value {
			return ""
		}

		return value
	}

	var kept grammar.Params

	for _, p := range params {
		switch text := withoutAddresses(p.Text()); {
		case text == p.Text():
			kept = append(kept, p)
		case strings.EqualFold(p.Name, "text"):
			kept = append(kept, grammar.QuotedParam(p.Name, text))
		}
	}

	return protocol + kept.String()
}

func withoutAddresses(text string) string { return host.ReplaceAllStringFunc(text, withoutAddress) }

func withoutAddress(word string) string {
	switch _, behind, uri := strings.Cut(word, ":"); {
	case strings.Contains(word, "@"):
		if numeric(word[strings.LastIndexByte(word, '@')+1:]) {
			return hidden
		}

		return word
	case uri && strings.HasPrefix(strings.ToLower(word), "sip") && strings.HasPrefix(behind, "+"): // a number without its domain
		return word
	case strings.Trim(strings.ToLower(word), "0123456789abcdef:") == "" && !numeric(word): // a time of day
		return word
	default:
		return hidden
	}
}

func numeric(host string) bool {
	if _, err := netip.ParseAddrPort(host); err == nil {
		return true
	}

	_, err := netip.ParseAddr(strings.Trim(host, "[]"))

	return err == nil
}
