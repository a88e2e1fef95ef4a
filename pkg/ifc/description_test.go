package ifc

import (
	"bytes"
	"strings"
	"testing"
)

const sdp = "v=0\r\nm=audio 4000 RTP/AVP 0\r\n"

func multi(parts ...string) string {
	return "--b1\r\n" + strings.Join(parts, "\r\n--b1\r\n") + "\r\n--b1--\r\n"
}

// RFC 5621: SDP in multipart bodies, as handsets send it beside a location or an ISUP message.
func TestSessionDescription(t *testing.T) {
	part := "Content-Type: application/sdp\r\n\r\n" + sdp
	other := "Content-Type: application/pidf+xml\r\nContent-ID: <a@b>\r\n\r\n<presence/>"

	tests := []struct{ name, contentType, body, want string }{
		{"alone", "application/sdp", sdp, sdp},
		{"with parameters, in any case", "Application/SDP; charset=utf-8", sdp, sdp},
		{"parameters that cannot be read", "application/sdp; =;;", sdp, sdp},
		{"another type", "text/plain", sdp, ""},
		{"a longer type", "application/sdpfrag", sdp, ""},
		{"no type", "", sdp, ""},
		{"first part", "multipart/mixed;boundary=b1", multi(part, other), sdp},
		{"second part", `multipart/mixed; boundary="b1"`, multi(other, part), sdp},
		{
			"lines end with LF",
			"multipart/mixed;boundary=b1",
			strings.ReplaceAll(multi(other, part), "\r\n", "\n"),
			strings.ReplaceAll(sdp, "\r\n", "\n"),
		},
		{"cut off", "multipart/mixed;boundary=b1", strings.TrimSuffix(multi(other, part), "\r\n--b1--\r\n"), sdp},
		{
			"a part in a part",
			"multipart/mixed;boundary=b1",
			multi(other, "Content-Type: multipart/alternative;boundary=b2\r\n\r\n--b2\r\n"+part+"\r\n--b2--"),
			sdp,
		},
		{"no boundary", "multipart/mixed", multi(part), ""},
		{"another boundary", "multipart/mixed;boundary=x", multi(part), ""},
		{
			"too many parts",
			"multipart/mixed;boundary=b1",
			multi(append(strings.Split(strings.Repeat(other+"\x00", maxParts), "\x00")[:maxParts], part)...),
			"",
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// The end of the last line may belong to the boundary.
			got := bytes.TrimRight(SessionDescription(test.contentType, []byte(test.body)), "\r\n")
			if want := strings.TrimRight(test.want, "\r\n"); string(got) != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func FuzzSessionDescription(f *testing.F) {
	f.Add("multipart/mixed;boundary=b1", []byte(multi("Content-Type: application/sdp\r\n\r\n"+sdp)))
	f.Add(`multipart/mixed; boundary="b1"`, []byte(strings.Repeat("--b1\r\nContent-Type: multipart/mixed;boundary=b1\r\n\r\n", 20)))
	f.Add("application/sdp", []byte(sdp))

	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		if got := SessionDescription(contentType, body); len(got) > len(body) {
			t.Errorf("%d octets of %d", len(got), len(body))
		}
	})
}
