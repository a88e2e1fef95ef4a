package diameter

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
)

// Struct tags say how a field is sent: `avp:"Name"` is left out when it is zero, `avp:"Name,required"` is always sent and must be
// received. Pointers tell zero from absent, slices repeat the AVP, structs are grouped AVPs, embedded structs are part of the message
// itself. `avp:",mandatory"` is a bool within a group: the M bit of the group's own header.

type plan struct {
	fields []field
	byCode map[uint64]int

	mandatory []int // of a group: the field that is its M bit, or nil

	// for commands only
	identity []*diam.AVP // AVPs of every message of the application; never changed
	session  bool        // the first field is Session-Id
}

type field struct {
	index     []int
	attribute *attribute
	required  bool
	many      bool // a slice that repeats the AVP
	pointer   bool
	result    bool
	limited   bool // the type knows its valid values
	group     *plan
}

// limited is a type that does not have every value of its kind.
type limited interface{ Valid() bool }

const maxFields = 64 // decode has a bit for each

var (
	typeOfResult  = reflect.TypeFor[Result]()
	typeOfTime    = reflect.TypeFor[time.Time]()
	typeOfAddress = reflect.TypeFor[netip.Addr]()
	typeOfBytes   = reflect.TypeFor[[]byte]()
	typeOfLimited = reflect.TypeFor[limited]()
)

func codeKey(code, vendor uint32) uint64 { return uint64(vendor)<<32 | uint64(code) }

// message returns the plan of a command.
func (d *Dictionary) message(application *Application, t reflect.Type) (*plan, error) {
	if known, found := d.messages.Load(t); found {
		return known.(*plan), nil
	}

	p, err := d.plan(application.ID, t)
	if err != nil {
		return nil, err
	}

	whole := *p
	whole.identity = identity(application)
	whole.session = len(p.fields) > 0 && p.fields[0].attribute.code == avp.SessionID && p.fields[0].attribute.vendor == 0
	d.messages.Store(t, &whole)

	return &whole, nil
}

func (d *Dictionary) plan(application uint32, t reflect.Type) (*plan, error) {
	type key struct {
		application uint32
		t           reflect.Type
	}

	if p, found := d.plans.Load(key{application, t}); found {
		return p.(*plan), nil
	}

	p := &plan{byCode: map[uint64]int{}}
	if err := d.fields(application, t, nil, p); err != nil {
		return nil, err
	}

	if len(p.fields) > maxFields {
		return nil, fmt.Errorf("diameter: %s has more than %d fields", t, maxFields)
	}

	d.plans.Store(key{application, t}, p)

	return p, nil
}

func (d *Dictionary) fields(application uint32, t reflect.Type, index []int, into *plan) error {
	for i := range t.NumField() {
		structField := t.Field(i)
		at := append(append([]int(nil), index...), i)

		if structField.Anonymous {
			if err := d.fields(application, structField.Type, at, into); err != nil {
				return err
			}

			continue
		}

		tag, tagged := structField.Tag.Lookup("avp")
		if !tagged {
			continue
		}

		name, options, _ := strings.Cut(tag, ",")

		if name == "" && options == "mandatory" && structField.Type.Kind() == reflect.Bool {
			into.mandatory = at
			continue
		}

		f := field{index: at, required: options == "required", result: structField.Type == typeOfResult}

		var found bool
		if f.attribute, found = d.attribute(application, name); !found {
			return fmt.Errorf("diameter: %s.%s: no AVP %s in application %d", t, structField.Name, name, application)
		}

		element := structField.Type
		if element.Kind() == reflect.Slice && element != typeOfBytes {
			f.many, element = true, element.Elem()
		}

		if element.Kind() == reflect.Pointer {
			f.pointer, element = true, element.Elem()
		}

		if element.Kind() == reflect.Struct && element != typeOfTime && element != typeOfAddress && !f.result {
			var err error
			if f.group, err = d.plan(application, element); err != nil {
				return err
			}
		}

		if !f.result && f.group == nil && !f.attribute.fits(element) {
			return fmt.Errorf("diameter: %s.%s cannot hold %s", t, structField.Name, name)
		}

		f.limited = reflect.PointerTo(element).Implements(typeOfLimited)

		into.byCode[codeKey(f.attribute.code, f.attribute.vendor)] = len(into.fields)
		if f.result {
			into.byCode[codeKey(avp.ExperimentalResult, 0)] = len(into.fields)
		}

		into.fields = append(into.fields, f)
	}

	return nil
}

// fits reports whether a type can hold the AVP's values.
func (a *attribute) fits(t reflect.Type) bool {
	switch a.kind {
	case datatype.UTF8StringType, datatype.OctetStringType, datatype.DiameterIdentityType, datatype.DiameterURIType,
		datatype.IPFilterRuleType:
		return t.Kind() == reflect.String || t == typeOfBytes
	case datatype.Unsigned32Type, datatype.EnumeratedType:
		return t.Kind() == reflect.Uint32
	case datatype.Unsigned64Type:
		return t.Kind() == reflect.Uint64
	case datatype.Integer32Type:
		return t.Kind() == reflect.Int32
	case datatype.Integer64Type:
		return t.Kind() == reflect.Int64
	case datatype.AddressType:
		return t == typeOfAddress
	case datatype.TimeType:
		return t == typeOfTime
	default:
		return false
	}
}
