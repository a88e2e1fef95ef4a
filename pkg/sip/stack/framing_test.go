package stack

import (
	"bufio"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestFraming: where a message ends on a stream (RFC 3261 §18.3, §7.3.1).
func TestFraming(t *testing.T) {
	const most = 1500

	tests := []struct {
		name, headers string
		length        int
		refusal       string
	}{
		{"§20.14", "Content-Length: 5", 5, ""},
		{"§7.3.3 compact", "l:5", 5, ""},
		{"§7.3.1 space before the colon", "CONTENT-LENGTH \t : \t5 ", 5, ""},
		{"§7.3.1 continued", "Content-Length:\r\n 5", 5, ""},
		{"§7.3.1 what looks like one continues another", "Content-Length: 5\r\nSubject: x\r\n Content-Length: 9", 5, ""},
		{"said twice alike", "Content-Length: 5\r\nl: 5", 5, ""},
		{"said twice", "Content-Length: 5\r\nl: 6", 0, "Two Different Content-Length"},
		{"§18.3 none", "Subject: x", 0, "Missing Content-Length"},
		{"with a sign", "Content-Length: +5", 0, "Malformed Content-Length"},
		{"negative", "Content-Length: -5", 0, "Malformed Content-Length"},
		{"empty", "Content-Length:", 0, "Malformed Content-Length"},
		{"two numbers", "Content-Length: 5\r\n 5", 0, "Malformed Content-Length"},
		{"beyond all", "Content-Length: 99999999999999999999", 0, "Malformed Content-Length"},
		{"beyond the limit", "Content-Length: 1500", 0, "Message Too Large"},
		{"headers beyond the limit", "Subject: " + strings.Repeat("x", most), 0, "Message Too Large"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			head := "Content-Length: 3 SIP/2.0\r\nTo: a\r\n" + test.headers + "\r\n\r\n"

			raw, err := readMessage(bufio.NewReader(iotest.OneByteReader(strings.NewReader(head+strings.Repeat("b", 3000)))), most)

			var parse *sip.ParseError
			switch {
			case test.refusal == "":
				if want := head + strings.Repeat("b", test.length); err != nil || string(raw) != want {
					t.Errorf("%q %v, want %q", raw, err, want)
				}
			case !errors.As(err, &parse) || parse.Reason != test.refusal || !strings.HasPrefix(head, string(raw)):
				t.Errorf("%q %v, want %q", raw, err, test.refusal)
			}
		})
	}
}
