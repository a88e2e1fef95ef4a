package sip

import (
	"encoding/json"
	"fmt"
	"strings"
)

// keptDialog is the form of a ProxyDialog that outlives the process.
type keptDialog struct {
	CallID string    `json:"call_id"`
	Caller keptParty `json:"caller"`
	Callee keptParty `json:"callee"`
}

type keptParty struct {
	Address string   `json:"address"`
	Tag     string   `json:"tag"`
	Target  string   `json:"target"`
	Routes  []string `json:"routes,omitempty"`
	CSeq    uint32   `json:"cseq"`
}

// MarshalJSON writes the current state of the dialog.
func (d *ProxyDialog) MarshalJSON() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	return json.Marshal(keptDialog{d.CallID, d.parties[Caller].kept(), d.parties[Callee].kept()})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (d *ProxyDialog) UnmarshalJSON(text []byte) error {
	var k keptDialog
	if err := json.Unmarshal(text, &k); err != nil {
		return err
	}

	if k.CallID == "" || k.Caller.Target == "" || k.Callee.Target == "" {
		return fmt.Errorf("%w: a kept dialog lacks Call-ID or a target", errDialog)
	}

	for _, p := range []keptParty{k.Caller, k.Callee} {
		for _, text := range append([]string{k.CallID, p.Address, p.Tag, p.Target}, p.Routes...) {
			if strings.ContainsAny(text, "\r\n\x00") {
				return fmt.Errorf("%w: a kept dialog has a line break in %q", errDialog, text)
			}
		}
	}

	d.CallID, d.parties = k.CallID, [2]party{k.Caller.party(), k.Callee.party()}

	return nil
}

func (p party) kept() keptParty {
	return keptParty{Address: p.address, Tag: p.tag, Target: p.target, Routes: p.routes, CSeq: p.cseq}
}

func (k keptParty) party() party {
	return party{address: k.Address, tag: k.Tag, target: k.Target, routes: k.Routes, cseq: k.CSeq}
}
