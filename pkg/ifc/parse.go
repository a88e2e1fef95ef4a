package ifc

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

const (
	maxDocument    = 1 << 20 // octets
	maxDepth       = 32
	maxNamespace   = 255 // octets of the name of one: each element written without its prefix repeats it
	maxCriteria    = 1000
	maxTriggers    = 1000 // of one criterion
	maxGroups      = 1000 // places of triggers in groups, of one criterion
	maxExpressions = 2000 // of one chain
)

var errDocument = errors.New("ifc: the service profile cannot be read")

// Parse parses a document, with a namespace or without. Document types, deep nesting, sizes that no subscriber has, and values outside the
// schema are refused.
func Parse(document []byte) (*Subscription, error) {
	decoder, err := NewDecoder(document)
	if err != nil {
		return nil, err
	}

	s := new(Subscription)
	if err := decoder.Decode(s); err != nil {
		return nil, fmt.Errorf("%w: %w", errDocument, err)
	}

	for { // only white space may follow
		switch token, err := decoder.Token(); {
		case errors.Is(err, io.EOF):
			return s, s.check()
		case err != nil:
			return nil, fmt.Errorf("%w: %w", errDocument, err)
		default:
			if text, ok := token.(xml.CharData); !ok && !isComment(token) || ok && len(bytes.TrimSpace(text)) > 0 {
				return nil, fmt.Errorf("%w: something follows it", errDocument)
			}
		}
	}
}

// NewDecoder returns a decoder of a document within bounds: document types, deep nesting and sizes that no subscriber has are refused.
func NewDecoder(document []byte) (*xml.Decoder, error) {
	if len(document) > maxDocument {
		return nil, fmt.Errorf("%w: %d octets", errDocument, len(document))
	}

	tokens := xml.NewDecoder(bytes.NewReader(document))
	tokens.CharsetReader = charset

	return xml.NewTokenDecoder(&bounded{tokens: tokens}), nil
}

func isComment(token xml.Token) bool {
	switch token.(type) {
	case xml.Comment, xml.ProcInst:
		return true
	default:
		return false
	}
}

// charset decodes the encodings other than UTF-8 that documents in the field declare.
func charset(label string, input io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "us-ascii", "ascii":
		return input, nil
	case "iso-8859-1", "latin1":
		return charmap.ISO8859_1.NewDecoder().Reader(input), nil
	case "windows-1252":
		return charmap.Windows1252.NewDecoder().Reader(input), nil
	default:
		return nil, fmt.Errorf("the encoding %q", clip(label))
	}
}

// bounded passes on the tokens of a document while they stay within bounds.
type bounded struct {
	tokens *xml.Decoder
	depth  int
}

// Token implements xml.TokenReader. Namespaces and the matching of tags are left to the calling decoder.
func (b *bounded) Token() (xml.Token, error) {
	token, err := b.tokens.RawToken()
	if err != nil {
		return token, err
	}

	switch t := token.(type) {
	case xml.StartElement:
		if b.depth++; b.depth > maxDepth {
			return nil, fmt.Errorf("more than %d elements deep", maxDepth)
		}

		for _, a := range t.Attr {
			if declares(a) && len(a.Value) > maxNamespace {
				return nil, fmt.Errorf("a namespace of more than %d octets", maxNamespace)
			}
		}
	case xml.EndElement:
		b.depth--
	case xml.Directive:
		return nil, errors.New("it has a document type")
	}

	return token, nil
}

func (s *Subscription) check() error {
	if len(s.ServiceProfiles) == 0 {
		return fmt.Errorf("%w: no ServiceProfile", errDocument)
	}

	criteria := 0

	for i := range s.ServiceProfiles {
		p := &s.ServiceProfiles[i]
		if len(p.PublicIdentities) == 0 {
			return fmt.Errorf("%w: a ServiceProfile without PublicIdentity", errDocument)
		}

		for _, identity := range p.PublicIdentities {
			if strings.TrimSpace(identity.Identity) == "" {
				return fmt.Errorf("%w: an empty Identity", errDocument)
			}
		}

		if criteria += len(p.InitialFilterCriteria); criteria > maxCriteria {
			return fmt.Errorf("%w: more than %d criteria", errDocument, maxCriteria)
		}

		for j := range p.InitialFilterCriteria {
			p.InitialFilterCriteria[j].TriggerPoint.normalise()
		}
	}

	return nil
}

// Marshal writes the document in the order of the schema (TS 29.228 annex E).
func (s *Subscription) Marshal() ([]byte, error) {
	body, err := xml.MarshalIndent(s, "", " ")
	if err != nil {
		return nil, fmt.Errorf("ifc: %w", err)
	}

	return append([]byte(xml.Header), body...), nil
}
