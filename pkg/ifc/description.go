package ifc

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

const (
	maxParts   = 16 // of a multipart body, in all
	maxNesting = 3  // of multiparts in multiparts
)

// SessionDescription returns the SDP of a body: the body itself, or the first part of type application/sdp in a multipart one (RFC 5621);
// nil if there is none. Of a truncated body, or one with an odd Content-Type, it returns what can be read.
func SessionDescription(contentType string, body []byte) []byte {
	left := maxParts
	return description(contentType, body, maxNesting, &left)
}

func description(contentType string, body []byte, depth int, left *int) []byte {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		name, _, _ := strings.Cut(contentType, ";") // without parameters
		kind = strings.ToLower(strings.TrimSpace(name))
	}

	switch {
	case kind == "application/sdp":
		return body
	case !strings.HasPrefix(kind, "multipart/") || parameters["boundary"] == "" || depth == 0:
		return nil
	}

	for parts := multipart.NewReader(bytes.NewReader(body), parameters["boundary"]); *left > 0; {
		*left--

		part, err := parts.NextRawPart()
		if err != nil {
			return nil
		}

		content, _ := io.ReadAll(part) // as much as there is, if truncated

		if sdp := description(part.Header.Get("Content-Type"), content, depth-1, left); sdp != nil {
			return sdp
		}
	}

	return nil
}
