package open5gs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Units of a bit rate.
const (
	kbps = 1
	gbps = 3
)

// Pre-emption, as capability and as vulnerability.
const (
	disabled = 1
	enabled  = 2
)

type rate struct {
	Value int `json:"value"`
	Unit  int `json:"unit"`
}

type rates struct {
	Downlink rate `json:"downlink"`
	Uplink   rate `json:"uplink"`
}

func symmetric(value, unit int) *rates { return &rates{rate{value, unit}, rate{value, unit}} }

type arp struct {
	Priority      int `json:"priority_level"`
	Capability    int `json:"pre_emption_capability"`
	Vulnerability int `json:"pre_emption_vulnerability"`
}

type qos struct {
	Index int    `json:"index"` // QCI, 5QI
	ARP   arp    `json:"arp"`
	MBR   *rates `json:"mbr,omitempty"`
	GBR   *rates `json:"gbr,omitempty"`
}

type rule struct {
	QoS  qos   `json:"qos"`
	Flow []any `json:"flow"` // none: the P-CSCF says which
}

type apn struct {
	Name string `json:"name"`
	Type int    `json:"type"`
	QoS  qos    `json:"qos"`
	AMBR *rates `json:"ambr"`
	PCC  []rule `json:"pcc_rule"`
}

type slice struct {
	SST     int   `json:"sst"`
	Default bool  `json:"default_indicator"`
	Session []apn `json:"session"`
}

type long uint64

// MarshalJSON writes a 64-bit number as MongoDB reads it (MongoDB Extended JSON).
func (n long) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"$numberLong": strconv.FormatUint(uint64(n), 10)})
}

type security struct {
	K   string  `json:"k"`
	OP  *string `json:"op"`
	OPc *string `json:"opc"`
	AMF string  `json:"amf"`
	SQN *long   `json:"sqn,omitempty"`
}

type document struct {
	SchemaVersion int      `json:"schema_version"`
	IMSI          string   `json:"imsi"`
	MSISDN        []string `json:"msisdn"`
	IMEISV        []string `json:"imeisv"`
	MMEHost       []string `json:"mme_host"`
	MMERealm      []string `json:"mme_realm"`
	PurgeFlag     []bool   `json:"purge_flag"`
	Security      security `json:"security"`
	AMBR          *rates   `json:"ambr"`
	Slice         []slice  `json:"slice"`
	Restriction   int      `json:"access_restriction_data"`
	Status        int      `json:"subscriber_status"`
	AccessMode    int      `json:"network_access_mode"`
	TAUTimer      int      `json:"subscribed_rau_tau_timer"`
	Version       int      `json:"__v"`
}

// slices returns the APNs of a subscriber. That for ims is the one of Open5GS's guide for VoLTE: QCI 5 with ARP 1, by which the PCRF
// recognises the signalling, and rules for QCI 1 and 2 without flows, by which it recognises a call.
func (n *Network) slices() []slice {
	const signalling, voice, video, rest = 5, 1, 2, 9

	return []slice{{SST: 1, Default: true, Session: []apn{
		{
			Name: "internet", Type: 3, QoS: qos{Index: rest, ARP: arp{8, disabled, disabled}},
			AMBR: symmetric(1, gbps), PCC: []rule{},
		},
		{
			Name: "ims", Type: n.pdnType(), QoS: qos{Index: signalling, ARP: arp{1, disabled, disabled}},
			AMBR: &rates{Downlink: rate{3850, kbps}, Uplink: rate{1530, kbps}},
			PCC: []rule{
				{Flow: []any{}, QoS: qos{Index: voice, ARP: arp{2, enabled, enabled}, MBR: symmetric(128, kbps), GBR: symmetric(128, kbps)}},
				{Flow: []any{}, QoS: qos{Index: video, ARP: arp{4, enabled, enabled}, MBR: symmetric(802, kbps), GBR: symmetric(802, kbps)}},
			},
		},
	}}}
}

// subscribers returns the documents of the database's collection, one per line.
func (n *Network) subscribers() string {
	const noHandoverElsewhere, tauTimer = 32, 12 // the values of Open5GS's own tool

	var b strings.Builder

	for _, s := range n.SIMs {
		d := document{
			SchemaVersion: 1, IMSI: s.IMSI, MSISDN: []string{}, IMEISV: []string{}, MMEHost: []string{}, MMERealm: []string{}, PurgeFlag: []bool{},
			Security: security{K: s.K, OP: given(s.OP), OPc: given(s.OPc), AMF: s.AMF},
			AMBR:     symmetric(1, gbps), Slice: n.slices(), Restriction: noHandoverElsewhere, TAUTimer: tauTimer,
		}

		if s.MSISDN != "" {
			d.MSISDN = append(d.MSISDN, s.MSISDN)
		}

		if s.SQN > 0 {
			sqn := long(s.SQN)
			d.Security.SQN = &sqn
		}

		line, err := json.Marshal(d)
		if err != nil {
			panic(err) // numbers and texts always marshal
		}

		b.Write(line)
		b.WriteByte('\n')
	}

	return b.String()
}

func given(text string) *string {
	if text == "" {
		return nil
	}

	return &text
}

// policy returns the same for all SIMs of the network, without the database.
func (n *Network) policy() string {
	var b strings.Builder

	plmn := n.MCC + n.MNC
	rest := 15 - len(plmn)

	fmt.Fprintf(
		&b, "pcrf:\n  policy:\n    - supi_range:\n        - \"%[1]s%[2]s-%[1]s%[3]s\"\n",
		plmn, strings.Repeat("0", rest), strings.Repeat("9", rest),
	)

	for _, s := range n.slices() {
		fmt.Fprintf(&b, "      slice:\n        - sst: %d\n          default_indicator: %v\n          session:\n", s.SST, s.Default)

		for _, a := range s.Session {
			fmt.Fprintf(&b, "            - name: %s\n              type: %d\n", a.Name, a.Type)
			bitRates(&b, "ambr", a.AMBR, 14)
			quality(&b, a.QoS, 14)

			if len(a.PCC) > 0 {
				b.WriteString("              pcc_rule:\n")
			}

			for _, r := range a.PCC {
				b.WriteString("                -\n")
				quality(&b, r.QoS, 18)
			}
		}
	}

	return b.String()
}

func quality(b *strings.Builder, q qos, depth int) {
	pad := strings.Repeat(" ", depth)
	fmt.Fprintf(
		b, "%[1]sqos:\n%[1]s  index: %[2]d\n%[1]s  arp:\n%[1]s    priority_level: %[3]d\n%[1]s    pre_emption_vulnerability: %[4]d\n"+
			"%[1]s    pre_emption_capability: %[5]d\n",
		pad, q.Index, q.ARP.Priority, q.ARP.Vulnerability, q.ARP.Capability,
	)
	bitRates(b, "mbr", q.MBR, depth+2)
	bitRates(b, "gbr", q.GBR, depth+2)
}

func bitRates(b *strings.Builder, name string, r *rates, depth int) {
	if r == nil {
		return
	}

	pad := strings.Repeat(" ", depth)
	fmt.Fprintf(b, "%s%s:\n", pad, name)

	for _, one := range []struct {
		way  string
		rate rate
	}{{"downlink", r.Downlink}, {"uplink", r.Uplink}} {
		fmt.Fprintf(b, "%[1]s  %[2]s:\n%[1]s    value: %[3]d\n%[1]s    unit: %[4]d\n", pad, one.way, one.rate.Value, one.rate.Unit)
	}
}
