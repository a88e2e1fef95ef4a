package diameter

import (
	"fmt"
	"net/netip"
	"reflect"
	"time"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
)

// Encode returns a typed command as a message. The node sets its hop-by-hop and end-to-end identifiers.
func (d *Dictionary) Encode(v Commander) (*Message, error) {
	command := v.Command()

	p, err := d.message(command.Application, reflect.TypeOf(v).Elem())
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

	if q, ok := v.(requestHeaded); ok && q.requestHeader().Retransmitted {
		flags |= diam.RetransmittedFlag
	}

	m := diam.NewMessage(command.Code, flags, command.Application.ID, 1, 1, d.parser) // the node numbers it
	m.AVP = make([]*diam.AVP, 0, len(p.fields)+4)
	value, room := reflect.ValueOf(v).Elem(), new(room)

	if p.session { // RFC 6733 §8.8: Session-Id comes first
		if m.AVP, err = p.encode(value, m.AVP, 0, 1, room); err != nil {
			return nil, err
		}
	}

	m.AVP = append(m.AVP, p.identity...)

	if m.AVP, err = p.encode(value, m.AVP, p.first(), len(p.fields), room); err != nil {
		return nil, err
	}

	m.Header.MessageLength = uint32(m.Len())

	return m, nil
}

// first returns the index of the first field behind the AVPs that identify the application.
func (p *plan) first() int {
	if p.session {
		return 1
	}

	return 0
}

// identity returns the AVPs that every message of an application has.
func identity(application *Application) (avps []*diam.AVP) {
	switch {
	case application.ID == 0: // the base protocol's own commands belong to the connection
	case application.Vendor != 0 && !application.NamedByAuth:
		avps = append(avps, vendorSpecificApplicationID(application))
	default:
		avps = append(avps, diam.NewAVP(avp.AuthApplicationID, avp.Mbit, 0, datatype.Unsigned32(application.ID)))
	}

	if application.Stateless {
		const noStateMaintained = 1
		avps = append(avps, diam.NewAVP(avp.AuthSessionState, avp.Mbit, 0, datatype.Enumerated(noStateMaintained)))
	}

	return avps
}

func vendorSpecificApplicationID(application *Application) *diam.AVP {
	return diam.NewAVP(avp.VendorSpecificApplicationID, avp.Mbit, 0, &diam.GroupedAVP{AVP: []*diam.AVP{
		diam.NewAVP(avp.VendorID, avp.Mbit, 0, datatype.Unsigned32(application.Vendor)),
		diam.NewAVP(avp.AuthApplicationID, avp.Mbit, 0, datatype.Unsigned32(application.ID)),
	}})
}

// room allocates AVPs, several at a time.
type room struct{ free []diam.AVP }

func (r *room) avp(a *attribute, data datatype.Type) *diam.AVP {
	const atATime = 8

	if len(r.free) == 0 {
		r.free = make([]diam.AVP, atATime)
	}

	made := &r.free[0]
	r.free = r.free[1:]
	*made = diam.AVP{Code: a.code, Flags: a.flags, VendorID: a.vendor, Data: data, Length: a.header() + data.Len()}

	return made
}

// encode appends the AVPs of the fields from one index up to another.
func (p *plan) encode(v reflect.Value, avps []*diam.AVP, from, to int, room *room) ([]*diam.AVP, error) {
	for i := from; i < to; i++ {
		f := &p.fields[i]
		value := v.FieldByIndex(f.index)

		switch {
		case f.result:
			avps = append(avps, encodeResult(*value.Addr().Interface().(*Result)))
		case f.many:
			for j := range value.Len() {
				a, err := f.encode(value.Index(j), room)
				if err != nil {
					return nil, err
				}

				avps = append(avps, a)
			}
		case value.IsZero() && !f.required:
		default:
			a, err := f.encode(value, room)
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

func (f *field) encode(value reflect.Value, room *room) (*diam.AVP, error) {
	if value.Kind() == reflect.Pointer {
		if value.IsNil() {
			return nil, fmt.Errorf("diameter: %s is required and nil", f.attribute.name)
		}

		value = value.Elem()
	}

	data, err := f.data(value, room)
	if err != nil {
		return nil, err
	}

	made := room.avp(f.attribute, data)

	if f.group != nil && f.group.mandatory != nil && value.FieldByIndex(f.group.mandatory).Bool() {
		made.Flags |= avp.Mbit
	}

	return made, nil
}

func (f *field) data(value reflect.Value, room *room) (datatype.Type, error) {
	if f.group != nil {
		avps, err := f.group.encode(value, make([]*diam.AVP, 0, len(f.group.fields)), 0, len(f.group.fields), room)
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
	case datatype.IPFilterRuleType:
		return datatype.IPFilterRule(text(value)), nil
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
		return datatype.Address(value.Addr().Interface().(*netip.Addr).AsSlice()), nil
	case datatype.TimeType:
		return datatype.Time(*value.Addr().Interface().(*time.Time)), nil
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

func text(value reflect.Value) string {
	if value.Kind() == reflect.String {
		return value.String()
	}

	return string(value.Bytes())
}
