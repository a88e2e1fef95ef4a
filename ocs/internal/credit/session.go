// Package credit serves credit control (RFC 8506 §7, TS 32.299 §6.3): what a CCR does to a session and to money. Each request
// is one transaction of the ledger, its answer included, so that the same request again moves nothing, before and after any
// crash.
package credit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
)

// Session is a charging session from its CCR Initial to its CCR Terminate.
type Session struct {
	ID      string `gorm:"primaryKey"      json:"id"` // Session-Id
	Account string `gorm:"index"           json:"account"`
	// Diameter identity of the network function, which RAR and ASR go to
	ClientHost     string     `                       json:"client_host,omitempty"`
	ClientRealm    string     `                       json:"client_realm,omitempty"`
	ServiceContext string     `                       json:"service_context"`
	Method         string     `                       json:"method,omitempty"` // of the SIP request
	Terminating    bool       `                       json:"terminating,omitempty"`
	Called         string     `                       json:"called"`
	Calling        string     `                       json:"calling"`
	ICID           string     `                       json:"icid"`
	CallID         string     `                       json:"call_id"`
	Tariff         string     `                       json:"tariff"` // the price list, and its version, that it began with
	TariffVersion  uint32     `                       json:"tariff_version"`
	Services       []*Quota   `gorm:"serializer:json" json:"services"`
	Used           uint64     `                       json:"used_seconds"`
	Granted        uint64     `                       json:"granted_seconds"` // of the quotas that are out
	Charged        int64      `                       json:"charged"`
	Reserved       int64      `                       json:"reserved"`
	Reservations   int64      `                       json:"reserved_in_all"`
	Returned       int64      `                       json:"returned"`
	Uncollected    int64      `                       json:"uncollected,omitempty"` // used beyond what could be paid
	Unrated        Units      `gorm:"serializer:json" json:"unrated,omitempty"`     // reported in units that are not charged
	Number         uint32     `                       json:"request_number"`
	Exhausted      bool       `                       json:"exhausted,omitempty"` // the last Update found no credit
	Started        time.Time  `                       json:"started"`
	Answered       *time.Time `                       json:"answered,omitempty"` // as far as the reports tell
	Expires        time.Time  `gorm:"index"           json:"expires"`            // supervision: closed then if nothing is heard
}

// Units are amounts of several units.
type Units map[rating.Unit]uint64

// String is for CDRs: "octets 5000, events 1".
func (u Units) String() string {
	var parts []string
	for _, unit := range slices.Sorted(maps.Keys(u)) {
		parts = append(parts, fmt.Sprint(unit, " ", u[unit]))
	}

	return strings.Join(parts, ", ")
}

// Quota is the credit of one service in a session: of a rating group, of service identifiers, or of the session as a whole.
type Quota struct {
	Key         string      `json:"key"`
	RatingGroup *uint32     `json:"rating_group,omitempty"`
	Identifiers []uint32    `json:"service_identifiers,omitempty"`
	Unit        rating.Unit `json:"unit"`
	Rate        rating.Rate `json:"rate"`
	Used        uint64      `json:"used"`
	Granted     uint64      `json:"granted"` // and not reported yet
	Final       bool        `json:"final,omitempty"`
	Refused     bool        `json:"refused,omitempty"` // there was no credit for it when it was last asked for
	Charged     int64       `json:"charged"`
	Reserved    int64       `json:"reserved"`
	Uncollected int64       `json:"uncollected,omitempty"`
}

// maxQuotas of one session.
const maxQuotas = 64

func (s *Session) quota(group *uint32, identifiers []uint32) *Quota {
	for _, q := range s.Services {
		if sameService(q.RatingGroup, group, q.Identifiers, identifiers) {
			return q
		}
	}

	return nil
}

// quotaOfReport returns the quota that a report counts against: that of the service, else that of the whole rating group that the
// service is of (RFC 8506 §8.16).
func (s *Session) quotaOfReport(w *mscc) *Quota {
	quota := s.quota(w.group, w.identifiers)
	if quota == nil && w.group != nil {
		quota = s.quota(w.group, nil)
	}

	return quota
}

// Ending reports whether the session, or a service of it, would end with the units that it has, or has had none at its last request.
func (s *Session) Ending() bool {
	return s.Exhausted || slices.ContainsFunc(s.Services, func(q *Quota) bool { return q.Final || q.Refused })
}

// total brings the sums of the session up to those of its services.
func (s *Session) total() {
	s.Used, s.Granted, s.Charged, s.Reserved, s.Uncollected = 0, 0, 0, 0, 0

	for _, q := range s.Services {
		if q.Unit == rating.Seconds {
			s.Used += q.Used
			s.Granted += q.Granted
		}

		s.Charged += q.Charged
		s.Reserved += q.Reserved
		s.Uncollected = min(s.Uncollected+q.Uncollected, rating.Unpayable)
	}
}
