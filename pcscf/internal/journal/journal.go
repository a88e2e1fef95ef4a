// Package journal saves the P-CSCF's registrations and security associations across restarts.
package journal

import (
	"fmt"
	"log/slog"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/association"
	journals "github.com/dialtone-ims/dialtone/pkg/journal"
)

const file = "bindings.jsonl"

// entry is either a binding or a set.
type entry struct {
	Binding *binding.Kept     `json:"binding,omitempty"`
	Set     *association.Kept `json:"set,omitempty"`
}

// Journal saves bindings and sets as they change.
type Journal struct {
	entries *journals.Journal[entry]
	log     *slog.Logger
}

// Open opens the journal in a directory and returns what an earlier process saved, to be restored.
func Open(directory string, log *slog.Logger) (*Journal, []binding.Kept, []association.Kept, error) {
	j, entries, err := journals.Open[entry](directory, file, log)
	if err != nil {
		return nil, nil, nil, err
	}

	var (
		bindings []binding.Kept
		sets     []association.Kept
	)

	for _, e := range entries {
		if e.Binding != nil {
			bindings = append(bindings, *e.Binding)
		}

		if e.Set != nil {
			sets = append(sets, *e.Set)
		}
	}

	return &Journal{j, log}, bindings, sets, nil
}

// Close closes the journal.
func (s *Journal) Close() error { return s.entries.Close() }

func (s *Journal) logged(err error) {
	if err != nil {
		s.log.Error("the P-CSCF's state cannot be kept", "cause", err)
	}
}

// Bindings returns the keeper of bindings.
func (s *Journal) Bindings() binding.Keeper { return bindings{s} }

type bindings struct{ *Journal }

func (s bindings) Keep(k binding.Kept) {
	s.logged(s.entries.Keep("binding/"+k.Token, entry{Binding: &k}))
}

func (s bindings) Forget(token string) { s.logged(s.entries.Forget("binding/" + token)) }

// Sets returns the keeper of security associations.
func (s *Journal) Sets() association.Keeper { return sets{s} }

type sets struct{ *Journal }

func (s sets) Keep(k association.Kept) { s.logged(s.entries.Keep(setKey(k.Set.ReqID), entry{Set: &k})) }

func (s sets) Forget(reqID uint32) { s.logged(s.entries.Forget(setKey(reqID))) }

func setKey(reqID uint32) string { return fmt.Sprintf("set/%d", reqID) }
