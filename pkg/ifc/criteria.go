package ifc

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ParseCriteria parses the initial filter criteria of a document, and the shared iFC sets that it refers to. The document is an
// IMSSubscription, a ServiceProfile, or criteria alone, one after another.
func ParseCriteria(document []byte) (criteria []InitialFilterCriterion, shared []int, err error) {
	decoder, err := NewDecoder(document)
	if err != nil {
		return nil, nil, err
	}

	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return criteria, shared, nil
		}

		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errDocument, err)
		}

		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}

		switch element.Name.Local {
		case "InitialFilterCriteria":
			var c InitialFilterCriterion
			err = decoder.DecodeElement(&c, &element)
			c.TriggerPoint.normalise()

			if criteria = append(criteria, c); len(criteria) > maxCriteria {
				return nil, nil, fmt.Errorf("%w: more than %d criteria", errDocument, maxCriteria)
			}
		case "SharedIFCSetID":
			var number int
			err = decoder.DecodeElement(&number, &element)
			shared = append(shared, number)
		case "PublicIdentity", "PrivateID":
			err = decoder.Skip()
		}

		if err != nil {
			return nil, nil, fmt.Errorf("%w: %s: %w", errDocument, element.Name.Local, err)
		}
	}
}

// MarshalCriteria writes criteria alone, one after another.
func MarshalCriteria(criteria []InitialFilterCriterion) ([]byte, error) {
	var text []byte

	for _, c := range criteria {
		element, err := xml.MarshalIndent(struct {
			XMLName xml.Name `xml:"InitialFilterCriteria"`
			InitialFilterCriterion
		}{InitialFilterCriterion: c}, "", " ")
		if err != nil {
			return nil, fmt.Errorf("ifc: %w", err)
		}

		text = append(append(text, element...), '\n')
	}

	return text, nil
}

// ForUnregistered reports whether some criterion can apply to a session towards an unregistered user: it is of the part for unregistered
// users or of both, and no session case in it excludes case 2 (TS 29.228 §6.1.4.1 step 3).
func ForUnregistered(criteria []InitialFilterCriterion) bool {
	const registeredPart = 0

	return slices.ContainsFunc(criteria, func(c InitialFilterCriterion) bool {
		if c.ProfilePartIndicator != nil && *c.ProfilePartIndicator == registeredPart {
			return false
		}

		cases, fits := 0, false

		if c.TriggerPoint != nil {
			for _, spt := range c.TriggerPoint.SPTs {
				if spt.SessionCase != nil {
					cases++
					fits = fits || (*spt.SessionCase == TerminatingUnregistered) != (spt.ConditionNegated == 1)
				}
			}
		}

		return cases == 0 || fits
	})
}
