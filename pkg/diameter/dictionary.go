package diameter

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
	"github.com/fiorix/go-diameter/v4/diam/dict"
)

//go:embed base.xml
var baseDictionary []byte

// Dictionary knows the AVPs and commands of the base protocol and of the applications it was made with, and no others: what
// it knows is what the node announces.
type Dictionary struct {
	parser       *dict.Parser
	applications map[uint32]*Application
	attributes   map[attributeKey]*attribute
	plans        sync.Map // reflect.Type of a typed message to *plan
}

type attributeKey struct {
	application uint32
	name        string
}

// attribute is one AVP of the dictionary.
type attribute struct {
	name   string
	code   uint32
	vendor uint32
	flags  uint8
	kind   datatype.TypeID
}

// NewDictionary loads the base protocol and the applications.
func NewDictionary(applications ...Application) (*Dictionary, error) {
	parser, err := dict.NewParser()
	if err != nil {
		return nil, fmt.Errorf("diameter: %w", err)
	}

	d := &Dictionary{parser: parser, applications: map[uint32]*Application{}, attributes: map[attributeKey]*attribute{}}

	if err := parser.Load(bytes.NewReader(baseDictionary)); err != nil {
		return nil, fmt.Errorf("diameter: base dictionary: %w", err)
	}

	for _, application := range applications {
		if err := parser.Load(bytes.NewReader(application.Dictionary)); err != nil {
			return nil, fmt.Errorf("diameter: dictionary of %s: %w", application.Name, err)
		}

		d.applications[application.ID] = &application
	}

	for _, app := range parser.Apps() {
		for _, a := range app.AVP {
			d.attributes[attributeKey{app.ID, a.Name}] = &attribute{
				name: a.Name, code: a.Code, vendor: a.VendorID, flags: flags(a), kind: a.Data.Type,
			}
		}
	}

	return d, nil
}

func flags(a *dict.AVP) uint8 {
	var f uint8

	if a.VendorID != 0 {
		f |= avp.Vbit
	}

	if strings.Contains(a.Must, "M") {
		f |= avp.Mbit
	}

	return f
}

// attribute finds an AVP by the name it has in the application or in the base protocol.
func (d *Dictionary) attribute(application uint32, name string) (*attribute, bool) {
	a, found := d.attributes[attributeKey{application, name}]
	if !found {
		a, found = d.attributes[attributeKey{0, name}]
	}

	return a, found
}

// known is the dictionary's own AVP of this code and vendor. It is false where go-diameter would fall back to the AVP of
// another vendor and decode with the wrong type.
func (d *Dictionary) known(application, code, vendor uint32) (*dict.AVP, bool) {
	a, err := d.parser.FindAVPByCode(application, code, vendor)

	return a, err == nil && a.VendorID == vendor
}
