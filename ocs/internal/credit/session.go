// Package credit serves credit control (RFC 8506 §7, TS 32.299 §6.3): it maps a CCR to a change of a session and of money. Each request is
// one transaction of the ledger, its answer included, so that the same request again moves nothing, before and after any crash.
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
	// ClientHost is the Diameter identity of the network function, the destination of RAR and ASR.
	ClientHost     string     `                       json:"client_host,omitempty"`
	ClientRealm    string     `                       json:"client_realm,omitempty"`
	ServiceContext string     `                       json:"service_context"`
	Method         string     `                       json:"method,omitempty"` // of the SIP request
	Terminating    bool       `                       json:"terminating,omitempty"`
	Called         string     `                       json:"called"`
	Calling        string     `                       json:"calling"`
	ICID           string     `                       json:"icid"`
	CallID         string     `                       json:"call_id"`
	Tariff         string     `                       json:"tariff"` // its price list, with the version of its beginning
	TariffVersion  uint32     `                       json:"tariff_version"`
	Services       []*Quota   `gorm:"serializer:json" json:"services"`
	Used           uint64     `                       json:"used_seconds"`
	Granted        uint64     `                       json:"granted_seconds"` // of the open quotas
	Charged        int64      `                       json:"charged"`
	Reserved       int64      `                       json:"reserved"`
	Reservations   int64      `                       json:"reserved_in_all"`
	Returned       int64      `                       json:"returned"`
	Uncollected    int64      `                       json:"uncollected,omitempty"` // used, but not paid
	Unrated        Units      `gorm:"serializer:json" json:"unrated,omitempty"`     // reported in units without a price
	Number         uint32     `                       json:"request_number"`
	Exhausted      bool       `                       json:"exhausted,omitempty"` // the last Update found no credit
	Started        time.Time  `                       json:"started"`
	Answered       *time.Time `                       json:"answered,omitempty"` // as far as reported
	Expires        time.Time  `gorm:"index"           json:"expires"`            // supervision: closed then if silent
}

// Units are amounts of several units.
type Units map[rating.Unit]uint64

// String returns the form of CDRs: "octets 5000, events 1".
func (u Units) String() string {
	var parts []string
	for _, unit := range slices.Sorted(maps.Keys(u)) {
		parts = append(parts, fmt.Sprint(unit, " ", u[unit]))
	}

	return strings.Join(parts, ", ")
}

// Quota is the credit of one service in a session: of a rating group, of service identifiers, or of the whole session.
type Quota struct {
	Key         string      `json:"key"`
	RatingGroup *uint32     `json:"rating_group,omitempty"`
	Identifiers []uint32    `json:"service_identifiers,omitempty"`
	Unit        rating.Unit `json:"unit"`
	Used        uint64      `json:"used"`

	Service rating.Service `json:"service"`          // what is known of it, as it was at its first request
	Parts   []rating.Part  `json:"parts,omitempty"`  // what was used, and when: its price depends on this alone
	Since   time.Time      `json:"since"`            // when the present units were granted
	Change  *time.Time     `json:"change,omitempty"` // Tariff-Time-Change that was sent with them

	Granted     uint64 `json:"granted"` // and not reported yet
	Final       bool   `json:"final,omitempty"`
	Refused     bool   `json:"refused,omitempty"` // there was no credit at the last request
	Charged     int64  `json:"charged"`
	Reserved    int64  `json:"reserved"`
	Uncollected int64  `json:"uncollected,omitempty"`

	meter *rating.Meter // while a request is served
}

// maxQuotas is the most quotas of one session.
const maxQuotas = 64

func (s *Session) quota(group *uint32, identifiers []uint32) *Quota {
	for _, q := range s.Services {
		if sameService(q.RatingGroup, group, q.Identifiers, identifiers) {
			return q
		}
	}

	return nil
}

// quotaOfReport returns the quota that a report counts against: that of the service, else that of the service's whole rating group (RFC
// 8506 §8.16).
func (s *Session) quotaOfReport(w *mscc) *Quota {
	quota := s.quota(w.group, w.identifiers)
	if quota == nil && w.group != nil {
		quota = s.quota(w.group, nil)
	}

	return quota
}

// Ending reports whether the session, or a service of it, would end with its present units, or got none at its last request.
func (s *Session) Ending() bool {
	return s.Exhausted || slices.ContainsFunc(s.Services, func(q *Quota) bool { return q.Final || q.Refused })
}

// total updates the sums of the session from its services.
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
