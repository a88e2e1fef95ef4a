package trust

import (
	"net/netip"
	"regexp"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// hidden stands for an address in a text.
const hidden = "a hidden address"

// host is what may name one: a SIP URI, an IP address with a port or without, a name with a port.
var host = regexp.MustCompile(`(?i)\bsips?:(?:[^\s"'<>,;()\[\]]*@)?(?:\[[0-9a-f:.]+\]|[^\s"'<>,;()\[\]:@]+)(?::\d+)?` +
	`|\[[0-9a-f.]*:[0-9a-f:.]*\](?::\d+)?|\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?|\b[0-9a-z-]+(?:\.[0-9a-z-]+)+:\d+\b` +
	`|[0-9a-f]*:[0-9a-f:.]*:[0-9a-f]*`)

// hideAddresses leaves no address of the core's in the texts of Reason: "no answer from 192.0.2.77:5060" helps who reads the core's log,
// and tells everybody else where the core is. Identities of users stay.
func hideAddresses(m sip.Message) {
	var fields []string

	changed := false

	sip.EachField(m, "Reason", func(value string) bool {
		shown := host.ReplaceAllStringFunc(value, withoutAddress)
		changed = changed || shown != value
		fields = append(fields, shown)

		return true
	})

	if !changed {
		return
	}

	sip.Remove(m, "Reason")

	for _, value := range fields {
		sip.Add(m, "Reason", value)
	}
}

func withoutAddress(word string) string {
	at := word
	if i := strings.LastIndexByte(word, '@'); i >= 0 {
		at = word[i+1:]

		if numeric(at) {
			return hidden
		}

		return word
	}

	if strings.HasPrefix(strings.ToLower(word), "sip") || strings.Contains(word, ".") || strings.HasPrefix(word, "[") || numeric(at) {
		return hidden
	}

	return word // a time of day
}

func numeric(host string) bool {
	if _, err := netip.ParseAddrPort(host); err == nil {
		return true
	}

	_, err := netip.ParseAddr(strings.Trim(host, "[]"))

	return err == nil
}
