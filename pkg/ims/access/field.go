package access

import (
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const field = "P-Access-Network-Info"

// Of returns the value of P-Access-Network-Info in a message that counts: what the access network says, or else the handset's own word,
// which stands before it and may be wrong (TS 24.229 §7.2A.4).
func Of(m sip.Message) string {
	all := sip.Values(m, field)

	if at := slices.IndexFunc(all, ByNetwork); at >= 0 {
		return all[at]
	}

	if len(all) == 0 {
		return ""
	}

	return all[0]
}

// Stated returns the first value that a handset states of itself; "": it states none. It may not claim the word of the network (RFC 7315
// §4.4).
func Stated(m sip.Message) string {
	for _, value := range sip.Values(m, field) {
		if !ByNetwork(value) {
			return value
		}
	}

	return ""
}

// ByNetwork reports whether a value says that the network provided it.
func ByNetwork(value string) bool {
	return strings.Contains(strings.ToLower(value), "network-provided")
}
