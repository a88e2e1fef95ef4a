package stack

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// FuzzRefusal: the refusal of any input is one message, whose lines are the stack's own or copied whole.
func FuzzRefusal(f *testing.F) {
	files, err := filepath.Glob("../testdata/rfc4475/*.dat")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}

	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}

		f.Add(raw)
	}

	f.Add(
		[]byte("OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP [::1]:70000;rport;;\r\nTo: a\x0bb\r\nCSeq:\r\n\t\r\n x\r\nContent-Length: 99\r\n\r\n"),
	)

	flow := Flow{Endpoint: &Endpoint{}, Transport: "UDP", Remote: netip.MustParseAddrPort("192.0.2.9:4000")}

	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := sip.ParseMessage(raw)
		if err == nil {
			return
		}

		why, ok := errors.AsType[*sip.ParseError](err)
		if !ok || why.Reason == "" || strings.ContainsAny(why.Reason, "\r\n") {
			t.Fatalf("refused by %v", err)
		}

		response, via := why.Answer(raw)
		if response == nil {
			return
		}

		reply := stampVia(via, flow)
		if reply.Addr() != flow.Remote.Addr() || reply.Port() == 0 {
			t.Errorf("it is sent to %s", reply)
		}

		text := string(serialise(response))
		head, body, _ := strings.Cut(text, "\r\n\r\n")

		if body != "" || !strings.HasPrefix(head, "SIP/2.0 ") || strings.ContainsAny(strings.ReplaceAll(head, "\r\n", ""), "\r\n\x00") {
			t.Errorf("%q is answered by %q", raw, text)
		}

		for line := range strings.SplitSeq(head, "\r\n") {
			name, _, found := strings.Cut(line, ":")
			if !strings.HasPrefix(line, "SIP/2.0 ") && (!found || strings.ContainsAny(strings.TrimSpace(name), " \t\"(),/:;<=>?@[\\]{}")) {
				t.Errorf("a line that is none: %q in %q", line, text)
			}
		}
	})
}
