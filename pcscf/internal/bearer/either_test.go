package bearer

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
)

// side is a PCRF or a PCF that records requests, and answers as a test wants.
type side struct {
	name  string
	err   error
	heard *[]string
	has   *bool // what the BSF says; nil: nothing
}

func (s *side) Has(context.Context, netip.Addr) (bool, error) {
	*s.heard = append(*s.heard, "bsf")
	if s.has == nil {
		return false, errors.New("no BSF")
	}

	return *s.has, nil
}

func (s *side) NewID() string { return s.name }

func (s *side) Ask(_ context.Context, q *Request) (*Grant, error) {
	*s.heard = append(*s.heard, "ask "+s.name)
	if s.err != nil {
		return nil, s.err
	}

	return &Grant{Handle: Handle{ID: q.ID, Server: s.name}}, nil
}

func (s *side) End(context.Context, Handle) error {
	*s.heard = append(*s.heard, "end "+s.name)
	return nil
}

// A UE is looked for where it says that it is, then at the other authority, once; a session is changed and ended where it is.
func TestEither(t *testing.T) {
	const (
		onLTE = "3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=1"
		on5G  = "3gpp-nr-fdd;utran-cell-id-3gpp=1"
	)

	unknown := &Refusal{Code: 5065, Why: "5065", Elsewhere: true}
	absent := &Refusal{Code: 404, Why: "404", Elsewhere: true}
	away := &Refusal{Code: 502, Why: "no PCF", Undone: true}
	never := &Refusal{Code: 5063, Why: "5063"}
	silent := errors.New("no answer")

	for name, test := range map[string]struct {
		access    string
		choice    Choice
		has       *bool
		pcrf, pcf error
		heard     []string // and what its end reports
		why       string
		undone    bool
	}{
		"4G":                  {access: onLTE, heard: []string{"ask pcrf", "ask pcrf", "end pcrf"}},
		"5G":                  {access: on5G, heard: []string{"ask pcf", "ask pcf", "end pcf"}},
		"nobody says":         {heard: []string{"ask pcrf", "ask pcrf", "end pcrf"}},
		"5G, and nobody says": {pcrf: unknown, heard: []string{"ask pcrf", "ask pcf", "ask pcf", "end pcf"}},
		"4G, and it says 5G":  {access: on5G, pcf: absent, heard: []string{"ask pcf", "ask pcrf", "ask pcrf", "end pcrf"}},
		"the PCF is away":     {access: on5G, pcf: away, heard: []string{"ask pcf", "ask pcrf", "ask pcrf", "end pcrf"}},
		"fixed to 4G":         {access: on5G, choice: PCRFFirst, heard: []string{"ask pcrf", "ask pcrf", "end pcrf"}},
		"fixed to 4G, on 5G": {
			access: on5G, choice: PCRFFirst, pcrf: unknown, heard: []string{"ask pcrf", "ask pcf", "ask pcf", "end pcf"},
		},
		"fixed to 5G": {access: onLTE, choice: PCFFirst, heard: []string{"ask pcf", "ask pcf", "end pcf"}},
		"fixed to 5G, on 4G": {
			access: onLTE, choice: PCFFirst, pcf: absent, heard: []string{"ask pcf", "ask pcrf", "ask pcrf", "end pcrf"},
		},
		"the BSF has it":     {access: onLTE, choice: ByBSF, has: new(true), heard: []string{"bsf", "ask pcf", "ask pcf", "end pcf"}},
		"the BSF has it not": {access: on5G, choice: ByBSF, has: new(false), heard: []string{"bsf", "ask pcrf", "ask pcrf", "end pcrf"}},
		"the BSF has it not, nor the PCRF": {
			choice: ByBSF, has: new(false), pcrf: unknown, pcf: absent, heard: []string{"bsf", "ask pcrf", "ask pcf"}, why: "5065; 404",
		},
		"the BSF has it, and the PCF not": {
			choice: ByBSF, has: new(true), pcf: absent, heard: []string{"bsf", "ask pcf", "ask pcrf", "ask pcrf", "end pcrf"},
		},
		"the BSF is away, 5G":           {access: on5G, choice: ByBSF, heard: []string{"bsf", "ask pcf", "ask pcf", "end pcf"}},
		"the BSF is away, 4G":           {access: onLTE, choice: ByBSF, heard: []string{"bsf", "ask pcrf", "ask pcrf", "end pcrf"}},
		"WLAN, and NR":                  {access: "IEEE-802.11;i-wlan-node-id=1, 3GPP-NR-TDD", heard: []string{"ask pcf", "ask pcf", "end pcf"}},
		"known to none":                 {pcrf: unknown, pcf: absent, heard: []string{"ask pcrf", "ask pcf"}, why: "5065; 404"},
		"unknown here, and away there":  {pcrf: unknown, pcf: away, heard: []string{"ask pcrf", "ask pcf"}, why: "5065; no PCF"},
		"both are away":                 {pcrf: away, pcf: away, heard: []string{"ask pcrf", "ask pcf"}, why: "no PCF; no PCF", undone: true},
		"refused":                       {pcrf: never, heard: []string{"ask pcrf"}, why: "5063"},
		"refused by the other one":      {access: on5G, pcf: absent, pcrf: never, heard: []string{"ask pcf", "ask pcrf"}, why: "5063"},
		"the PCRF is silent":            {pcrf: silent, heard: []string{"ask pcrf", "end pcrf"}, why: "no answer"},
		"the PCF is silent, and mute":   {access: on5G, pcf: silent, heard: []string{"ask pcf"}, why: "no answer"},
		"the other one is silent, mute": {pcrf: unknown, pcf: silent, heard: []string{"ask pcrf", "ask pcf"}, why: "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			var heard []string

			e := NewEither(&side{"pcrf", test.pcrf, &heard, nil}, &side{"pcf", test.pcf, &heard, test.has}, cmp.Or(test.choice, ByAccess))

			q := &Request{Handle: Handle{ID: e.NewID()}, Leg: Leg{Access: test.access}}
			grant, err := e.Ask(t.Context(), q)
			refusal, refused := errors.AsType[*Refusal](err)

			switch {
			case test.why == "" && err != nil, test.why != "" && (err == nil || err.Error() != test.why):
				t.Fatalf("%v, want %q", err, test.why)
			case refused && refusal.Undone != test.undone:
				t.Errorf("undone %t", refusal.Undone)
			case err == nil:
				if _, err := e.Ask(t.Context(), &Request{Handle: grant.Handle, Update: true, Leg: q.Leg}); err != nil {
					t.Error(err)
				}
				_ = e.End(t.Context(), grant.Handle)
			case !refused:
				_ = e.End(t.Context(), q.Handle)
			}

			if !slices.Equal(heard, test.heard) || len(e.mute) != 0 {
				t.Errorf("heard %q, want %q; %v is left", heard, test.heard, e.mute)
			}
		})
	}

	if id := NewEither(&side{name: "a;1;2;x"}, &side{name: "TOKEN"}, ByAccess).NewID(); id != "a;1;2;x.TOKEN" {
		t.Error(id)
	}
}
