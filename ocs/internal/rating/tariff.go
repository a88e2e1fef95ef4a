// Package rating computes the cost of services. Every function here is pure: the same price plan, the same service and the same use always
// cost the same. It has no clock, reads nothing, and counts in integers and fractions, never in floating point.
package rating

// Tariff is a price plan as it is written, in YAML or JSON. A new one with the same name is a new version; a session keeps the version that
// it began with.
type Tariff struct {
	Name    string `json:"name,omitempty"    yaml:"name"`
	Version uint32 `json:"version,omitempty" yaml:"version"` // given by the OCS: 1, 2, …

	Currency uint32   `json:"currency,omitempty"  yaml:"currency"`  // ISO 4217 number; 0: that of the OCS
	Decimals int      `json:"decimals,omitempty"  yaml:"decimals"`  // that prices have beyond a minor unit
	TimeZone string   `json:"time_zone,omitempty" yaml:"time_zone"` // of the periods, "Europe/Berlin"; empty: UTC
	Home     []string `json:"home,omitempty"     yaml:"home"`       // networks that are not roaming; empty: nobody roams

	Destinations map[string][]string `json:"destinations,omitempty" yaml:"destinations"` // prefixes of numbers
	Groups       map[string][]string `json:"groups,omitempty"       yaml:"groups"`       // prefixes of the members' numbers
	Calendars    map[string][]string `json:"calendars,omitempty"    yaml:"calendars"`    // days: 12-25, 2026-05-01, easter+1, last mon may
	Periods      map[string][]Period `json:"periods,omitempty"      yaml:"periods"`      // times of the day and the week

	Rates     []Rate     `json:"rates"               yaml:"rates"`
	Discounts []Discount `json:"discounts,omitempty" yaml:"discounts"`
	Rounding  *Rounding  `json:"rounding,omitempty"  yaml:"rounding"`
	Tax       *Tax       `json:"tax,omitempty"       yaml:"tax"`
	Quota     *Terms     `json:"quota,omitempty"     yaml:"quota"`

	FinalUnit  *FinalUnit `json:"final_unit,omitempty"  yaml:"final_unit"`  // nil: the configured one
	LowBalance *int64     `json:"low_balance,omitempty" yaml:"low_balance"` // minor units; nil: the configured one
}

// Rate is a price and the conditions under which it applies. It prices time if it has an interval, volume if it has a volume interval,
// events if it has an event price; units that it does not price cannot be used under it. Money is in the unit of the plan's prices: a minor
// unit, or as many decimals finer as the plan says.
type Rate struct {
	Name     string `json:"name,omitempty"     yaml:"name"`
	Priority int    `json:"priority,omitempty" yaml:"priority"` // a higher one goes first; then the more specific

	// Prefix of the normalised called number, "+" included; "" matches all, also those without a number.
	Prefix      string  `json:"prefix"                 yaml:"prefix"`
	RatingGroup *uint32 `json:"rating_group,omitempty" yaml:"rating_group"` // only for this one
	// only for this side
	Direction  Direction `json:"direction,omitempty"    yaml:"direction" jsonschema:"enum=originating,enum=terminating"`
	Conditions `yaml:",inline"`

	ConnectionFee int64 `json:"connection_fee,omitempty" yaml:"connection_fee"` // once, with the first unit used
	Minimum       int64 `json:"minimum,omitempty"        yaml:"minimum"`        // that a call or session costs once anything is used
	Cap           int64 `json:"cap,omitempty"            yaml:"cap"`            // that it costs at most; 0: no limit

	Price     int64 `json:"price,omitempty"        yaml:"price"`     // of an interval
	Interval  int64 `json:"interval,omitempty"     yaml:"interval"`  // seconds that the price covers
	Initial   int64 `json:"initial,omitempty"      yaml:"initial"`   // seconds of the first block, charged as a whole; 0: as increment
	Increment int64 `json:"increment,omitempty"    yaml:"increment"` // of each further block: 1 per second, 60 per started minute; 0: 1
	// at the beginning of each call; blocks begin after them
	FreeSeconds int64  `json:"free_seconds,omitempty" yaml:"free_seconds"`
	Tiers       []Tier `json:"tiers,omitempty"        yaml:"tiers"` // other prices beyond so many seconds

	VolumePrice     int64  `json:"volume_price,omitempty"     yaml:"volume_price"`     // of a volume interval
	VolumeInterval  int64  `json:"volume_interval,omitempty"  yaml:"volume_interval"`  // octets that the price covers
	VolumeIncrement int64  `json:"volume_increment,omitempty" yaml:"volume_increment"` // octets charged together; 0: 1
	VolumeTiers     []Tier `json:"volume_tiers,omitempty"     yaml:"volume_tiers"`     // other prices beyond so many octets

	EventPrice *int64 `json:"event_price,omitempty" yaml:"event_price"` // of one message or other event
	EventTiers []Tier `json:"event_tiers,omitempty" yaml:"event_tiers"` // other prices beyond so many events

	// TiersPer is what the tiers count: the use within a call or session (empty), or within a calendar day, week or month.
	TiersPer string `json:"tiers_per,omitempty" yaml:"tiers_per" jsonschema:"enum=day,enum=week,enum=month"`

	Quota *Terms `json:"quota,omitempty" yaml:"quota"` // instead of the plan's
}

// Conditions restrict a rate or a discount. Each is a list of alternatives; an empty one restricts nothing.
type Conditions struct {
	To      []string `json:"to,omitempty"                  yaml:"to"`      // destinations of the called number, by name
	From    []string `json:"from,omitempty"                yaml:"from"`    // destinations of the calling number, by name
	Within  []string `json:"within,omitempty"              yaml:"within"`  // groups that both parties are in: closed, or on-net
	Visited []string `json:"visited,omitempty"             yaml:"visited"` // networks; "home", "roaming" by the plan's home
	// LTE, NR, WLAN
	Access   []string `json:"access,omitempty"              yaml:"access" jsonschema:"enum=LTE,enum=NR,enum=WLAN"`
	Media    []string `json:"media,omitempty"               yaml:"media" jsonschema:"enum=voice,enum=video"` // voice, video
	Messages []string `json:"messages,omitempty"            yaml:"messages" jsonschema:"enum=SMS,enum=MMS"`  // SMS, MMS
	Services []uint32 `json:"service_identifiers,omitempty" yaml:"service_identifiers"`                      // Service-Identifiers
	Contexts []string `json:"service_contexts,omitempty"    yaml:"service_contexts"`                         // 32260@3gpp.org, …
	When     []string `json:"when,omitempty"                yaml:"when"`                                     // periods, by name
}

// Direction restricts a rate to one side of a call.
type Direction string

// The sides of a call.
const (
	Originating Direction = "originating" // the payer calls
	Terminating Direction = "terminating" // the payer is called
)

// Tier is another price of the interval for the units beyond so many.
type Tier struct {
	Above int64 `json:"above" yaml:"above"`
	Price int64 `json:"price" yaml:"price"`
}

// Period is a time of the day on some days. Without from and to it is whole days; one that ends before it begins ends on the next day, and
// belongs to the day on which it begins.
type Period struct {
	From string `json:"from,omitempty"   yaml:"from"` // 22:00
	To   string `json:"to,omitempty"     yaml:"to"`   // 06:00; 24:00 is the end of the day
	// mon, tue, …; empty: all
	Days   []string `json:"days,omitempty"   yaml:"days" jsonschema:"enum=mon,enum=tue,enum=wed,enum=thu,enum=fri,enum=sat,enum=sun"`
	On     []string `json:"on,omitempty"     yaml:"on"`     // only on days of these calendars
	Except []string `json:"except,omitempty" yaml:"except"` // not on days of these
}

// Discount lessens what the use costs, but not a connection fee, by so many per cent. The first one that applies is taken.
type Discount struct {
	Name       string  `json:"name"    yaml:"name"`
	Percent    Percent `json:"percent" yaml:"percent"`
	Conditions `yaml:",inline"`
}

// Rounding is how fractions of a minor unit are lost. Without one the whole is rounded up to a minor unit, once.
type Rounding struct {
	// up, down, nearest (halves up) or even (halves to the even one); empty: up
	Direction string `json:"direction,omitempty" yaml:"direction" jsonschema:"enum=up,enum=down,enum=nearest,enum=even"`
	To        int64  `json:"to,omitempty"        yaml:"to"` // a multiple of so many minor units; 0: 1
	// Each is what is rounded: the call, or each line of the bill; empty: the call.
	Each string `json:"each,omitempty"      yaml:"each" jsonschema:"enum=call,enum=line"`
}

// Tax is a line of the bill.
type Tax struct {
	Name     string  `json:"name"               yaml:"name"`
	Percent  Percent `json:"percent"            yaml:"percent"`
	Included bool    `json:"included,omitempty" yaml:"included"` // in the prices; else it comes on top
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

// Limits of the calculation.
const (
	MaxPrice = 1 << 40
	MaxUnits = 1 << 50 // seconds, octets or events of one service
	maxRates = 100_000
	maxLists = 1000 // of one kind in a plan, or names in a condition

	// Unpayable is a cost larger than all money.
	Unpayable = 1 << 61
)

// Service is a service to be rated. What is not known of it is empty, and meets no condition.
type Service struct {
	Number      string   `json:"number,omitempty"` // called, normalised; "" if the called party has none
	Calling     string   `json:"calling,omitempty"`
	Terminating bool     `json:"terminating,omitempty"` // the payer is called
	RatingGroup *uint32  `json:"rating_group,omitempty"`
	Identifiers []uint32 `json:"service_identifiers,omitempty"`
	Context     string   `json:"service_context,omitempty"`
	Visited     string   `json:"visited,omitempty"`
	Access      string   `json:"access,omitempty"`
	Media       string   `json:"media,omitempty"`
	Message     string   `json:"message,omitempty"`
	// Before is what was used under the plan's tiers before the session, in the day, week or month of its beginning.
	Before uint64 `json:"before,omitempty"`
}
