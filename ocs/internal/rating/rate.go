package rating

import (
	"errors"
	"math/bits"
	"strings"
)

// Direction restricts a rate to one side of a call.
type Direction string

const (
	Originating Direction = "originating" // the payer calls
	Terminating Direction = "terminating" // the payer is called
)

// Rate is the price of services whose called number begins with a prefix. It prices time if it has an interval, volume if it has a volume
// interval, events if it has an event price; units that it does not price cannot be used under it.
type Rate struct {
	// Prefix of the normalised called number, "+" included; "" matches all, also those without a number.
	Prefix      string    `json:"prefix"`
	RatingGroup *uint32   `json:"rating_group,omitempty"` // only for this one
	Direction   Direction `json:"direction,omitempty"`    // only for this side

	ConnectionFee int64 `json:"connection_fee,omitempty"` // once, with the first unit used

	Price       int64 `json:"price,omitempty"`        // of an interval
	Interval    int64 `json:"interval,omitempty"`     // seconds that the price covers
	Initial     int64 `json:"initial,omitempty"`      // seconds of the first block, charged as a whole; 0: as increment
	Increment   int64 `json:"increment,omitempty"`    // seconds of each further block: 1 per second, 60 per started minute; 0: 1
	FreeSeconds int64 `json:"free_seconds,omitempty"` // at the beginning of each call; blocks begin after them

	VolumePrice     int64 `json:"volume_price,omitempty"`     // of a volume interval
	VolumeInterval  int64 `json:"volume_interval,omitempty"`  // octets that the price covers
	VolumeIncrement int64 `json:"volume_increment,omitempty"` // octets charged together; 0: 1

	EventPrice *int64 `json:"event_price,omitempty"` // of one message or other event
}

// Unit is what is counted.
type Unit string

// The units that a rate has prices for.
const (
	Seconds Unit = "seconds"
	Octets  Unit = "octets"
	Events  Unit = "events"
	Money   Unit = "money" // minor units, rated by the network function
)

func (r *Rate) validate() error {
	values := []int64{
		r.ConnectionFee,
		r.Price,
		r.Interval,
		r.Initial,
		r.Increment,
		r.FreeSeconds,
		r.VolumePrice,
		r.VolumeInterval,
		r.VolumeIncrement,
	}
	if r.EventPrice != nil {
		values = append(values, *r.EventPrice)
	}

	for _, value := range values {
		if value < 0 || value > MaxPrice {
			return errors.New("a value is negative or beyond any price")
		}
	}

	switch {
	case strings.Trim(r.Prefix, "0123456789*#") != "" && strings.Trim(strings.TrimPrefix(r.Prefix, "+"), "0123456789") != "":
		return errors.New("the prefix is no beginning of a number")
	case len(r.Prefix) > 32:
		return errors.New("the prefix is longer than any number")
	case r.Direction != "" && r.Direction != Originating && r.Direction != Terminating:
		return errors.New("direction is neither originating nor terminating")
	case r.Interval == 0 && (r.Price != 0 || r.Initial != 0 || r.Increment != 0 || r.FreeSeconds != 0):
		return errors.New("a price of time needs an interval")
	case r.VolumeInterval == 0 && (r.VolumePrice != 0 || r.VolumeIncrement != 0):
		return errors.New("a price of volume needs a volume_interval")
	case !r.Prices(Seconds) && !r.Prices(Octets) && !r.Prices(Events):
		return errors.New("nothing is priced: interval, volume_interval or event_price is needed")
	}

	return nil
}

// Prices reports whether the rate has a price for this unit.
func (r *Rate) Prices(u Unit) bool {
	switch u {
	case Seconds:
		return r.Interval > 0
	case Octets:
		return r.VolumeInterval > 0
	case Money:
		return true
	default:
		return r.EventPrice != nil
	}
}

// Cost returns the price of this many units used in all: the connection fee, and what exceeds the free seconds in whole blocks, at their
// part of the interval's price. The whole is rounded up to a minor unit once, so that it does not depend on how the use was reported. No
// use costs nothing: an unanswered call is free.
func (r *Rate) Cost(u Unit, units uint64) int64 {
	if units == 0 {
		return 0
	}

	units = min(units, MaxUnits)

	switch u {
	case Seconds:
		return r.ConnectionFee + proportion(r.blocks(units), r.Price, r.Interval)
	case Money:
		return int64(units)
	case Octets:
		return r.ConnectionFee + proportion(whole(units, r.VolumeIncrement), r.VolumePrice, r.VolumeInterval)
	default:
		return r.ConnectionFee + proportion(units, *r.EventPrice, 1)
	}
}

// blocks returns the charged seconds.
func (r *Rate) blocks(seconds uint64) uint64 {
	free, initial := uint64(r.FreeSeconds), uint64(r.Initial)

	switch {
	case seconds <= free:
		return 0
	case seconds-free <= initial:
		return initial
	default:
		return initial + whole(seconds-free-initial, r.Increment)
	}
}

// whole rounds up to whole increments.
func whole(units uint64, increment int64) uint64 {
	if increment <= 1 {
		return units
	}

	return (units + uint64(increment) - 1) / uint64(increment) * uint64(increment)
}

// Unpayable is a cost larger than all money.
const Unpayable = 1 << 61

// proportion returns units * price / interval, rounded up.
func proportion(units uint64, price, interval int64) int64 {
	high, low := bits.Mul64(units, uint64(price))
	if high >= uint64(interval) {
		return Unpayable
	}

	cost, rest := bits.Div64(high, low, uint64(interval))
	if rest > 0 {
		cost++
	}

	return int64(min(cost, Unpayable))
}

// Affordable returns how many more units, of at most wanted, can be used after those already used, if this much may be spent on them.
func (r *Rate) Affordable(u Unit, used, wanted uint64, budget int64) uint64 {
	if used >= MaxUnits {
		return 0
	}

	wanted = min(wanted, MaxUnits-used)
	spent := r.Cost(u, used)

	if r.Cost(u, used+wanted)-spent <= budget {
		return wanted
	}

	low, high := uint64(0), wanted // low fits, high does not
	for low+1 < high {
		middle := low + (high-low)/2
		if r.Cost(u, used+middle)-spent <= budget {
			low = middle
		} else {
			high = middle
		}
	}

	return low
}
