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

// Struct tags say how a field travels: `avp:"Name"` is left out when it is zero, `avp:"Name,required"` is always sent and
// must always come. Pointers tell a zero from nothing, slices repeat the AVP, structs are grouped AVPs, embedded structs
// are part of the message itself.

type plan struct {
	fields  []field
	byCode  map[uint64]int
	session bool // the first field is Session-Id
}

type field struct {
	index     []int
	attribute *attribute
	required  bool
	many      bool // a slice that repeats the AVP
	pointer   bool
	result    bool
	group     *plan
}

const maxFields = 64 // decode has a bit for each

var (
	typeOfResult  = reflect.TypeFor[Result]()
	typeOfTime    = reflect.TypeFor[time.Time]()
	typeOfAddress = reflect.TypeFor[netip.Addr]()
	typeOfBytes   = reflect.TypeFor[[]byte]()
)

func codeKey(code, vendor uint32) uint64 { return uint64(vendor)<<32 | uint64(code) }

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

	p.session = len(p.fields) > 0 && p.fields[0].attribute.code == avp.SessionID && p.fields[0].attribute.vendor == 0
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

		into.byCode[codeKey(f.attribute.code, f.attribute.vendor)] = len(into.fields)
		if f.result {
			into.byCode[codeKey(avp.ExperimentalResult, 0)] = len(into.fields)
		}

		into.fields = append(into.fields, f)
	}

	return nil
}

// Encode makes the message of a typed command. Its hop-by-hop and end-to-end identifiers are left to the node.
func (d *Dictionary) Encode(v Commander) (*Message, error) {
	command := v.Command()

	p, err := d.plan(command.Application.ID, reflect.TypeOf(v).Elem())
	if err != nil {
		return nil, err
	}

	var flags uint8
	if command.Application.ID != 0 {
		flags |= diam.ProxiableFlag
	}

	if !command.Answer {
		flags |= diam.RequestFlag
	}

	m := diam.NewMessage(command.Code, flags, command.Application.ID, 1, 1, d.parser) // the node numbers it
	m.AVP = make([]*diam.AVP, 0, len(p.fields)+4)

	if p.session { // RFC 6733 §8.8: Session-Id comes first
		if m.AVP, err = p.encode(reflect.ValueOf(v).Elem(), m.AVP, 0, 1); err != nil {
			return nil, err
		}
	}

	m.AVP = append(m.AVP, d.identity(command.Application)...)

	if m.AVP, err = p.encode(reflect.ValueOf(v).Elem(), m.AVP, p.first(), len(p.fields)); err != nil {
		return nil, err
	}

	m.Header.MessageLength = uint32(m.Len())

	return m, nil
}

// first is the index of the first field that stands behind the identity of the application.
func (p *plan) first() int {
	if p.session {
		return 1
	}

	return 0
}

// identity are the AVPs that every message of an application has. They are made once, and nobody changes them.
func (d *Dictionary) identity(application *Application) []*diam.AVP {
	if known, found := d.identities.Load(application.ID); found {
		return known.([]*diam.AVP)
	}

	var avps []*diam.AVP

	switch {
	case application.ID == 0: // the base protocol's own commands belong to the connection
	case application.Vendor != 0:
		avps = append(avps, vendorSpecificApplicationID(application))
	default:
		avps = append(avps, diam.NewAVP(avp.AuthApplicationID, avp.Mbit, 0, datatype.Unsigned32(application.ID)))
	}

	if application.Stateless {
		const noStateMaintained = 1
		avps = append(avps, diam.NewAVP(avp.AuthSessionState, avp.Mbit, 0, datatype.Enumerated(noStateMaintained)))
	}

	d.identities.Store(application.ID, avps)

	return avps
}

func vendorSpecificApplicationID(application *Application) *diam.AVP {
	return diam.NewAVP(avp.VendorSpecificApplicationID, avp.Mbit, 0, &diam.GroupedAVP{AVP: []*diam.AVP{
		diam.NewAVP(avp.VendorID, avp.Mbit, 0, datatype.Unsigned32(application.Vendor)),
		diam.NewAVP(avp.AuthApplicationID, avp.Mbit, 0, datatype.Unsigned32(application.ID)),
	}})
}

// encode appends the AVPs of the fields from one index up to another.
func (p *plan) encode(v reflect.Value, avps []*diam.AVP, from, to int) ([]*diam.AVP, error) {
	for i := from; i < to; i++ {
		f := &p.fields[i]
		value := v.FieldByIndex(f.index)

		switch {
		case f.result:
			avps = append(avps, encodeResult(*value.Addr().Interface().(*Result)))
		case f.many:
			for j := range value.Len() {
				a, err := f.encode(value.Index(j))
				if err != nil {
					return nil, err
				}

				avps = append(avps, a)
			}
		case value.IsZero() && !f.required:
		default:
			a, err := f.encode(value)
			if err != nil {
				return nil, err
			}

			avps = append(avps, a)
		}
	}

	return avps, nil
}

func encodeResult(r Result) *diam.AVP {
	if r.Vendor == 0 {
		return diam.NewAVP(avp.ResultCode, avp.Mbit, 0, datatype.Unsigned32(r.Code))
	}

	return diam.NewAVP(avp.ExperimentalResult, avp.Mbit, 0, &diam.GroupedAVP{AVP: []*diam.AVP{
		diam.NewAVP(avp.VendorID, avp.Mbit, 0, datatype.Unsigned32(r.Vendor)),
		diam.NewAVP(avp.ExperimentalResultCode, avp.Mbit, 0, datatype.Unsigned32(r.Code)),
	}})
}

func (f *field) encode(value reflect.Value) (*diam.AVP, error) {
	if value.Kind() == reflect.Pointer {
		if value.IsNil() {
			return nil, fmt.Errorf("diameter: %s is required and nil", f.attribute.name)
		}

		value = value.Elem()
	}

	data, err := f.data(value)
	if err != nil {
		return nil, err
	}

	return diam.NewAVP(f.attribute.code, f.attribute.flags, f.attribute.vendor, data), nil
}

func (f *field) data(value reflect.Value) (datatype.Type, error) {
	if f.group != nil {
		avps, err := f.group.encode(value, make([]*diam.AVP, 0, len(f.group.fields)), 0, len(f.group.fields))
		return &diam.GroupedAVP{AVP: avps}, err
	}

	switch f.attribute.kind {
	case datatype.UTF8StringType:
		return datatype.UTF8String(text(value)), nil
	case datatype.OctetStringType:
		return datatype.OctetString(text(value)), nil
	case datatype.DiameterIdentityType:
		return datatype.DiameterIdentity(text(value)), nil
	case datatype.DiameterURIType:
		return datatype.DiameterURI(text(value)), nil
	case datatype.Unsigned32Type:
		return datatype.Unsigned32(number(value)), nil
	case datatype.Unsigned64Type:
		return datatype.Unsigned64(number(value)), nil
	case datatype.EnumeratedType:
		return datatype.Enumerated(number(value)), nil
	case datatype.Integer32Type:
		return datatype.Integer32(number(value)), nil
	case datatype.Integer64Type:
		return datatype.Integer64(number(value)), nil
	case datatype.AddressType:
		return datatype.Address(value.Interface().(netip.Addr).AsSlice()), nil
	case datatype.TimeType:
		return datatype.Time(value.Interface().(time.Time)), nil
	default:
		return nil, fmt.Errorf("diameter: %s has a type that no field can hold", f.attribute.name)
	}
}

func number(value reflect.Value) int64 {
	if value.CanInt() {
		return value.Int()
	}

	return int64(value.Uint())
}

func setNumber(value reflect.Value, n int64) {
	switch {
	case value.CanInt():
		value.SetInt(n)
	case value.Kind() == reflect.Uint32:
		value.SetUint(uint64(uint32(n)))
	default:
		value.SetUint(uint64(n))
	}
}

func text(value reflect.Value) string {
	if value.Kind() == reflect.String {
		return value.String()
	}

	return string(value.Bytes())
}

// Decode fills a typed command from a message. In a request, a required AVP that is missing is a 5005, one too many a 5009,
// each with Failed-AVP. AVPs that the type has no field for are passed over.
func (d *Dictionary) Decode(m *Message, into Commander) error {
	command := into.Command()

	p, err := d.plan(command.Application.ID, reflect.TypeOf(into).Elem())
	if err != nil {
		return err
	}

	return p.decode(m.AVP, reflect.ValueOf(into).Elem(), !command.Answer)
}

func (p *plan) decode(avps []*diam.AVP, v reflect.Value, strict bool) error {
	var seen uint64 // a bit for each field

	for _, a := range avps {
		i, wanted := p.byCode[codeKey(a.Code, a.VendorID)]
		if !wanted {
			continue
		}

		f := &p.fields[i]

		if seen&(1<<i) != 0 && !f.many {
			if strict {
				return &Error{Result: AVPOccursTooManyTimes, Message: f.attribute.name, Failed: []*diam.AVP{a}}
			}

			continue
		}

		seen |= 1 << i

		if err := f.decode(a, v.FieldByIndex(f.index), strict); err != nil {
			return err
		}
	}

	for i := range p.fields {
		if f := &p.fields[i]; strict && f.required && seen&(1<<i) == 0 {
			return &Error{Result: MissingAVP, Message: f.attribute.name, Failed: []*diam.AVP{f.example()}}
		}
	}

	return nil
}

// example is the AVP that Failed-AVP shows for one that is missing: its header and the smallest value (RFC 6733 §7.5).
func (f *field) example() *diam.AVP {
	var data datatype.Type = datatype.OctetString(f.attribute.smallest())
	if f.group != nil {
		data = &diam.GroupedAVP{}
	}

	return diam.NewAVP(f.attribute.code, f.attribute.flags, f.attribute.vendor, data)
}

func (f *field) decode(a *diam.AVP, value reflect.Value, strict bool) error {
	if f.result {
		value.Set(reflect.ValueOf(decodeResult(a)))
		return nil
	}

	if f.many {
		value.Set(reflect.Append(value, reflect.Zero(value.Type().Elem())))
		value = value.Index(value.Len() - 1)
	}

	if value.Kind() == reflect.Pointer {
		value.Set(reflect.New(value.Type().Elem()))
		value = value.Elem()
	}

	if f.group != nil {
		group, ok := a.Data.(*diam.GroupedAVP)
		if !ok {
			return &Error{Result: InvalidAVPValue, Message: f.attribute.name, Failed: []*diam.AVP{a}}
		}

		return f.enclose(a, f.group.decode(group.AVP, value, strict))
	}

	if !assign(value, a.Data) {
		return &Error{Result: InvalidAVPValue, Message: f.attribute.name, Failed: []*diam.AVP{a}}
	}

	if limited, ok := value.Interface().(interface{ Valid() bool }); ok && strict && !limited.Valid() {
		return &Error{Result: InvalidAVPValue, Message: f.attribute.name, Failed: []*diam.AVP{a}}
	}

	return nil
}

// enclose shows the AVP at fault within the group that it is a part of (RFC 6733 §7.5).
func (f *field) enclose(a *diam.AVP, err error) error {
	if fault, ok := err.(*Error); ok {
		fault.Message = f.attribute.name + ": " + fault.Message
		fault.Failed = []*diam.AVP{diam.NewAVP(a.Code, a.Flags, a.VendorID, &diam.GroupedAVP{AVP: fault.Failed})}
	}

	return err
}

func decodeResult(a *diam.AVP) Result {
	if code, ok := a.Data.(datatype.Unsigned32); ok {
		return Result{Code: uint32(code)}
	}

	var r Result

	if group, ok := a.Data.(*diam.GroupedAVP); ok {
		for _, part := range group.AVP {
			value, _ := part.Data.(datatype.Unsigned32)

			switch part.Code {
			case avp.VendorID:
				r.Vendor = uint32(value)
			case avp.ExperimentalResultCode:
				r.Code = uint32(value)
			}
		}
	}

	return r
}

func assign(value reflect.Value, data datatype.Type) bool {
	switch d := data.(type) {
	case datatype.UTF8String:
		setText(value, string(d))
	case datatype.OctetString:
		setText(value, string(d))
	case datatype.DiameterIdentity:
		setText(value, string(d))
	case datatype.DiameterURI:
		setText(value, string(d))
	case datatype.Unsigned32:
		setNumber(value, int64(d))
	case datatype.Unsigned64:
		setNumber(value, int64(d))
	case datatype.Enumerated:
		setNumber(value, int64(d))
	case datatype.Integer32:
		setNumber(value, int64(d))
	case datatype.Integer64:
		setNumber(value, int64(d))
	case datatype.Address:
		address, _ := netip.AddrFromSlice(d) // of another family than IP: nothing here reads it
		value.Set(reflect.ValueOf(address))
	case datatype.Time:
		value.Set(reflect.ValueOf(time.Time(d)))
	default:
		return false
	}

	return true
}

func setText(value reflect.Value, s string) {
	if value.Kind() == reflect.String {
		value.SetString(s)
	} else {
		value.SetBytes([]byte(s))
	}
}
