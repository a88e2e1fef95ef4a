package registration

import (
	"unique"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// ChargingInfo holds the charging functions of a user (TS 29.229 §6.3.19).
type ChargingInfo struct {
	EventPrimary, EventSecondary           string // ecf, the OCS: Diameter URIs
	CollectionPrimary, CollectionSecondary string // ccf
}

// ChargingHandle refers to charging functions that all users with the same ones share. The zero handle refers to none.
type ChargingHandle = unique.Handle[ChargingInfo]

// Charging returns the charging functions that the HSS gave; ok is false if it gave none.
func (r *Registration) Charging() (c ChargingInfo, ok bool) {
	if r.ChargingHandle == (ChargingHandle{}) {
		return ChargingInfo{}, false
	}

	return r.ChargingHandle.Value(), true
}

// ChargingOf returns the handle of these charging functions, or the zero handle for none.
func ChargingOf(c *cx.ChargingInformation) ChargingHandle {
	if c == nil {
		return ChargingHandle{}
	}

	return unique.Make(ChargingInfo{
		EventPrimary: c.PrimaryEventChargingFunction, EventSecondary: c.SecondaryEventChargingFunction,
		CollectionPrimary: c.PrimaryChargingCollectionFunction, CollectionSecondary: c.SecondaryChargingCollectionFunction,
	})
}
