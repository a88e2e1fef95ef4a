package profile

import "bytes"

// split divides a User-Data document into the part that differs from user to user and the filter criteria of each service profile, which
// many users share and which are most of its length. It is a short cut for plainly written documents; for any other, with a comment,
// CDATA or a prefix somewhere, ok is false and the whole document has to be parsed.
func split(document []byte) (skeleton []byte, criteria [][]byte, ok bool) {
	if bytes.Contains(document, []byte("<!")) {
		return nil, nil, false
	}

	skeleton = make([]byte, 0, 1024)

	for {
		begin := bytes.Index(document, profileBegin)
		if begin < 0 {
			return append(skeleton, document...), criteria, len(criteria) > 0
		}

		begin += len(profileBegin)

		length := bytes.Index(document[begin:], profileEnd)
		if length < 0 {
			return nil, nil, false
		}

		before, own, after, plain := cut(document[begin : begin+length])
		if !plain || own != nil && !balanced(before) {
			return nil, nil, false
		}

		skeleton = append(skeleton, document[:begin]...)
		skeleton = append(append(append(skeleton, before...), after...), profileEnd...)
		criteria = append(criteria, own)
		document = document[begin+length+len(profileEnd):]
	}
}

var (
	profileBegin, profileEnd     = []byte("<ServiceProfile>"), []byte("</ServiceProfile>")
	criterionBegin, criterionEnd = []byte("<InitialFilterCriteria>"), []byte("</InitialFilterCriteria>")
)

// cut removes the criteria from the text of one profile; they must stand together.
func cut(text []byte) (before, criteria, after []byte, plain bool) {
	first := bytes.Index(text, criterionBegin)
	if first < 0 {
		return text, nil, nil, !bytes.Contains(text, []byte("InitialFilterCriteria"))
	}

	rest := text[first:]

	for bytes.HasPrefix(rest, criterionBegin) {
		end := bytes.Index(rest, criterionEnd)
		if end < 0 {
			return nil, nil, nil, false
		}

		rest = bytes.TrimLeft(rest[end+len(criterionEnd):], " \t\r\n")
	}

	return text[:first], text[first : len(text)-len(rest)], rest, !bytes.Contains(rest, []byte("InitialFilterCriteria"))
}

// balanced reports whether every element that begins in a piece of XML also ends there, so that the text behind it is not within one of
// them. It does not handle elements with attributes.
func balanced(text []byte) bool {
	var open [][]byte

	for {
		at := bytes.IndexByte(text, '<')
		if at < 0 {
			return len(open) == 0
		}

		end := bytes.IndexByte(text[at:], '>')
		if end < 0 {
			return false
		}

		name := text[at+1 : at+end]
		text = text[at+end+1:]

		closing := bytes.HasPrefix(name, []byte("/"))

		switch {
		case len(name) == 0 || bytes.ContainsAny(name, "?!'\"= \t\r\n<"):
			return false
		case closing && (len(open) == 0 || !bytes.Equal(open[len(open)-1], name[1:])):
			return false
		case closing:
			open = open[:len(open)-1]
		case !bytes.HasSuffix(name, []byte("/")):
			open = append(open, name)
		}
	}
}
