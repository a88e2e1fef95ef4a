package registrar

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// appendEntry appends one line of the journal. It does without reflection because every REGISTER writes a line.
func appendEntry(b []byte, id uint64, k *kept) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendUint(b, id, 10)

	if k == nil {
		return append(b, "}\n"...)
	}

	b = appendText(append(b, `,"registration":{"private":`...), k.Private)
	b = append(b, `,"identities":[`...)

	for i, identity := range k.Identities {
		if i > 0 {
			b = append(b, ',')
		}

		b = appendText(append(b, `{"uri":`...), identity.URI)
		b = appendText(append(b, `,"display_name":`...), identity.DisplayName)
		b = append(strconv.AppendBool(append(b, `,"barred":`...), identity.Barred), '}')
	}

	b = append(b, `],"bindings":[`...)

	for i, binding := range k.Bindings {
		if i > 0 {
			b = append(b, ',')
		}

		b = appendBinding(b, binding)
	}

	b = append(b, ']')

	if k.Charging != nil {
		if text, err := json.Marshal(k.Charging); err == nil { // a struct of strings always marshals
			b = append(append(b, `,"charging":`...), text...)
		}
	}

	return append(b, "}}\n"...)
}

func appendBinding(b []byte, c *registration.Binding) []byte {
	b = appendText(append(b, `{"contact":`...), c.Contact)
	b = appendText(append(b, `,"params":`...), c.Params)
	b = append(b, `,"path":[`...)

	for i, path := range c.Path {
		if i > 0 {
			b = append(b, ',')
		}

		b = appendText(b, path)
	}

	b = appendText(append(b, `],"private":`...), c.Private)
	b = appendText(append(b, `,"identity":`...), c.Identity)
	b = appendText(append(b, `,"instance":`...), c.Instance)
	b = appendText(append(b, `,"call_id":`...), c.CallID)

	for _, number := range [...]struct {
		name  string
		value uint32
	}{{"cseq", c.CSeq}, {"reg_id", c.RegID}, {"id", c.ID}, {"q", uint32(c.Q)}} {
		b = append(append(append(b, `,"`...), number.name...), `":`...)
		b = strconv.AppendUint(b, uint64(number.value), 10)
	}

	b = c.Expires.UTC().AppendFormat(append(b, `,"expires":"`...), time.RFC3339Nano)
	b = c.Registered.UTC().AppendFormat(append(b, `","registered":"`...), time.RFC3339Nano)

	return append(b, `"}`...)
}

// appendText writes a JSON string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, err := json.Marshal(s)
			if err != nil { // a string always marshals
				text = []byte(`""`)
			}

			return append(b, text...)
		}
	}

	return append(append(append(b, '"'), s...), '"')
}
