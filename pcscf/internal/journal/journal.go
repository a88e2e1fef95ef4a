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

// entry is one of the two.
type entry struct {
	Binding *binding.Kept     `json:"binding,omitempty"`
	Set     *association.Kept `json:"set,omitempty"`
}

// Store writes what changes.
type Store struct {
	journal *journals.Journal[entry]
	log     *slog.Logger
}

// Open gives what an earlier process left in a directory.
func Open(directory string, log *slog.Logger) (*Store, []binding.Kept, []association.Kept, error) {
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

	return &Store{j, log}, bindings, sets, nil
}

// Close ends the use of the directory.
func (s *Store) Close() error { return s.journal.Close() }

func (s *Store) said(err error) {
	if err != nil {
		s.log.Error("the P-CSCF's state cannot be kept", "cause", err)
	}
}

// Bindings remembers bindings.
func (s *Store) Bindings() binding.Keeper { return bindings{s} }

type bindings struct{ *Store }

func (s bindings) Keep(k binding.Kept) { s.said(s.journal.Put("binding/"+k.Token, entry{Binding: &k})) }

func (s bindings) Forget(token string) { s.said(s.journal.Drop("binding/" + token)) }

// Sets remembers security associations.
func (s *Store) Sets() association.Keeper { return sets{s} }

type sets struct{ *Store }

func (s sets) Keep(k association.Kept) { s.said(s.journal.Put(setKey(k.Set.ReqID), entry{Set: &k})) }

func (s sets) Forget(reqID uint32) { s.said(s.journal.Drop(setKey(reqID))) }

func setKey(reqID uint32) string { return fmt.Sprintf("set/%d", reqID) }
