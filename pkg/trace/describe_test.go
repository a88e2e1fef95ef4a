package trace

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

func answer(code byte, avps ...byte) []byte {
	return append([]byte{1, 0, 0, byte(20 + len(avps)), 0, 0, 1, code, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1}, avps...)
}

// The trace describes each message, and has its octets.
func TestDescribed(t *testing.T) {
	request := answer(16)
	request[4] = 0x80

	const invite = "INVITE sip:bob@ims.example SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n"

	r := record(t, Config{Ring: 10})

	for _, test := range []struct {
		protocol Protocol
		data     []byte
		method   string
		status   int
	}{
		{SIP, []byte(invite), "INVITE", 0},
		{SIP, []byte("SIP/2.0 180 Ringing\r\nFrom: <sip:a@b>\r\ncseq : 1  INVITE\r\n\r\nCSeq: 2 X"), "INVITE", 180},
		{SIP, []byte{0xFF, 0}, "\xFF\x00", 0},
		{SIP, nil, "", 0},
		{Diameter, request, "CCR", 0},
		{Diameter, answer(16, 0, 0, 1, 12, 0x40, 0, 0, 12, 0, 0, 0x07, 0xD1), "CCA", 2001},
		{
			Diameter,
			answer(44, 0, 0, 1, 7, 0, 0, 0, 9, 'x', 0, 0, 0, 0, 0, 1, 41, 0x40, 0, 0, 20, 0, 0, 1, 42, 0x40, 0, 0, 12, 0, 0, 0x13, 0x89),
			"UAA",
			5001,
		},
		{Diameter, answer(1, 0, 0, 1, 12, 0x40, 0, 0, 99), "CEA", 0},
		{Diameter, answer(99), "355-A", 0},
		{Diameter, []byte{1, 2}, "", 0},
	} {
		got := describe(Record{Message: Message{Protocol: test.protocol, Data: test.data}})
		if got.Method != test.method || got.Status != test.status {
			t.Errorf("%q: %q %d, want %q %d", test.data, got.Method, got.Status, test.method, test.status)
		}
	}

	r.Tap()(Message{Protocol: SIP, Data: []byte(invite)})

	w := httptest.NewRecorder()
	if err := r.show(w, httptest.NewRequest("GET", "/trace", nil)); err != nil {
		t.Fatal(err)
	}

	var records []Record
	if err := json.Unmarshal(w.Body.Bytes(), &records); err != nil || len(records) != 1 {
		t.Fatalf("%v: %s", err, w.Body)
	}

	got := records[0]
	if got.Method != "INVITE" || got.Text != invite || string(got.Data) != invite || !strings.Contains(w.Body.String(), `"method"`) {
		t.Errorf("%+v", got)
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add([]byte("SIP/2.0 200 OK\r\nCSeq: 1 BYE\r\n\r\n"))
	f.Add(answer(16, 0, 0, 1, 12, 0x40, 0, 0, 12, 0, 0, 0x07, 0xD1))

	f.Fuzz(func(t *testing.T, data []byte) {
		for _, protocol := range []Protocol{SIP, Diameter, HTTP} {
			if got := describe(Record{Message: Message{Protocol: protocol, Data: data}}); len(got.Method) > len(data)+8 {
				t.Errorf("%q: a method of %d octets", data, len(got.Method))
			}
		}
	})
}
