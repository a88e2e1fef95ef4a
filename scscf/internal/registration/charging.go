package registration

import (
	"unique"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// ChargingInfo are the charging functions of a user (TS 29.229 §6.3.19), shared by all users with the same ones.
type ChargingInfo struct {
	EventPrimary, EventSecondary           string // ecf, the OCS: Diameter URIs
	CollectionPrimary, CollectionSecondary string // ccf
}

// ChargingHandle is one copy of charging functions for all users with the same ones; the zero handle is none.
type ChargingHandle = unique.Handle[ChargingInfo]

// Charging returns the charging functions that the HSS gave; ok is false if it gave none.
func (r *Registration) Charging() (c ChargingInfo, ok bool) {
	if r.ChargingHandle == (ChargingHandle{}) {
		return ChargingInfo{}, false
	}

	return r.ChargingHandle.Value(), true
}

// ChargingOf returns the one copy of these charging functions; the zero handle if there are none.
func ChargingOf(c *cx.ChargingInformation) ChargingHandle {
	if c == nil {
		return ChargingHandle{}
	}

	return unique.Make(ChargingInfo{
		EventPrimary: c.PrimaryEventChargingFunction, EventSecondary: c.SecondaryEventChargingFunction,
		CollectionPrimary: c.PrimaryChargingCollectionFunction, CollectionSecondary: c.SecondaryChargingCollectionFunction,
	})
}
