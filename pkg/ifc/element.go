package ifc

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Element is an element unknown to this package: of a later release, or proprietary (the schema of TS 29.228 annex E ends each type with
// ##other). It is preserved, whatever its prefixes were.
type Element struct {
	Name    xml.Name
	Attr    []xml.Attr
	Content string // XML in which all prefixes are declared
}

// UnmarshalXML reads an element with all its content. Comments are left out.
func (e *Element) UnmarshalXML(decoder *xml.Decoder, start xml.StartElement) error {
	var content strings.Builder

	e.Name, e.Attr = start.Name, own(start.Attr)
	encoder, spaces := xml.NewEncoder(&content), []string{start.Name.Space}

	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}

		if err != nil {
			return err
		}

		switch t := token.(type) {
		case xml.StartElement:
			space := spaces[len(spaces)-1]
			spaces = append(spaces, t.Name.Space)
			err = encoder.EncodeToken(within(space, t.Name, own(t.Attr)))
		case xml.EndElement:
			if spaces = spaces[:len(spaces)-1]; len(spaces) == 0 {
				err = encoder.Close()
				e.Content = content.String()

				return err
			}

			err = encoder.EncodeToken(xml.EndElement{Name: xml.Name{Local: t.Name.Local}})
		case xml.CharData:
			err = encoder.EncodeToken(t)
		}

		if err == nil && content.Len() > maxDocument {
			err = fmt.Errorf("an element has more than %d octets when its namespaces are written out", maxDocument)
		}

		if err != nil {
			return err
		}
	}
}

// MarshalXML writes the element in a place without a default namespace.
func (e Element) MarshalXML(encoder *xml.Encoder, _ xml.StartElement) error {
	content := struct {
		Text string `xml:",innerxml"`
	}{e.Content}

	return encoder.EncodeElement(content, within("", e.Name, e.Attr))
}

// within returns the start of an element inside a default namespace. Names are written without prefixes.
func within(space string, name xml.Name, attributes []xml.Attr) xml.StartElement {
	start := xml.StartElement{Name: xml.Name{Local: name.Local}, Attr: attributes}
	if name.Space != space {
		start.Attr = append([]xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: name.Space}}, attributes...)
	}

	return start
}

// own returns the attributes that do not declare namespaces.
func own(all []xml.Attr) (attributes []xml.Attr) {
	for _, a := range all {
		if !declares(a) {
			attributes = append(attributes, a)
		}
	}

	return attributes
}

// declares reports whether an attribute declares a namespace.
func declares(a xml.Attr) bool { return a.Name.Space == "xmlns" || a.Name.Local == "xmlns" }
