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

// Dictionary knows the AVPs and commands of the base protocol and of the applications it was made with, and no others: the node
// advertises what the dictionary knows.
type Dictionary struct {
	parser       *dict.Parser
	applications map[uint32]*Application
	attributes   map[attributeKey]*attribute
	codes        map[uint32]attributes // by application
	commands     map[commandKey]bool   // commands of each application's messages, those of the base protocol in each
	messages     sync.Map              // reflect.Type of a command to *plan
	plans        sync.Map              // application and reflect.Type of a group to *plan
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
	values map[uint32]string // names, of an enumeration
}

// NewDictionary returns a dictionary of the base protocol and the applications.
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

	if err := d.index(); err != nil {
		return nil, err
	}

	return d, nil
}

// index makes the tables for reading messages.
func (d *Dictionary) index() error {
	apps := d.parser.Apps()
	d.codes, d.commands = map[uint32]attributes{}, map[commandKey]bool{}

	for _, app := range apps {
		own := attributes{}
		d.codes[app.ID] = own

		for _, a := range app.AVP {
			known := &attribute{name: a.Name, code: a.Code, vendor: a.VendorID, flags: flags(a), kind: a.Data.Type, values: values(a)}

			if _, twice := own[codeKey(a.Code, a.VendorID)]; twice {
				return fmt.Errorf("diameter: dictionary of %s: AVP %d of vendor %d stands twice", app.Name, a.Code, a.VendorID)
			}

			own[codeKey(a.Code, a.VendorID)] = known
			d.attributes[attributeKey{app.ID, a.Name}] = known
		}
	}

	base := d.codes[0]

	for _, app := range apps {
		for key, known := range base {
			if _, own := d.codes[app.ID][key]; !own {
				d.codes[app.ID][key] = known
			}
		}

		for _, command := range app.Command {
			d.commands[commandKey{app.ID, command.Code}] = true
		}

		for _, command := range apps[0].Command { // the base dictionary is loaded first
			d.commands[commandKey{app.ID, command.Code}] = true
		}
	}

	return nil
}

func values(a *dict.AVP) map[uint32]string {
	if len(a.Data.Enum) == 0 {
		return nil
	}

	names := map[uint32]string{}
	for _, value := range a.Data.Enum {
		names[uint32(value.Code)] = value.Name
	}

	return names
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

// attribute returns the AVP of this name in the application or in the base protocol.
func (d *Dictionary) attribute(application uint32, name string) (*attribute, bool) {
	a, found := d.attributes[attributeKey{application, name}]
	if !found {
		a, found = d.attributes[attributeKey{0, name}]
	}

	return a, found
}

// header returns the length of the AVP's header in octets.
func (a *attribute) header() int {
	if a.flags&avp.Vbit != 0 {
		return 12
	}

	return 8
}

// smallest returns the least value of the AVP, which Failed-AVP shows for one that is missing or cut off.
func (a *attribute) smallest() []byte {
	switch a.kind {
	case datatype.Unsigned32Type, datatype.Integer32Type, datatype.EnumeratedType, datatype.TimeType, datatype.Float32Type:
		return make([]byte, 4)
	case datatype.Unsigned64Type, datatype.Integer64Type, datatype.Float64Type:
		return make([]byte, 8)
	case datatype.AddressType:
		return []byte{0, 1, 0, 0, 0, 0} // zeros alone would be of an address family that does not exist
	default:
		return nil
	}
}
