package app

import (
	"log/slog"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/gm"
	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/association"
	"github.com/dialtone-ims/dialtone/pcscf/internal/journal"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// state is what an earlier process saved, and the journal of this one.
type state struct {
	journal  *journal.Journal // nil: nothing is kept over a restart
	bindings []binding.Kept
	sets     []association.Kept
	log      *slog.Logger
}

func openState(directory string, log *slog.Logger) (*state, error) {
	k := &state{log: log}

	if directory == "" {
		return k, nil
	}

	var err error
	k.journal, k.bindings, k.sets, err = journal.Open(directory, log)

	return k, err
}

func (k *state) keeper() association.Keeper {
	if k.journal == nil {
		return nil
	}

	return k.journal.Sets()
}

func (k *state) bindingKeeper() binding.Keeper {
	if k.journal == nil {
		return nil
	}

	return k.journal.Bindings()
}

// restore restores the registrations that an earlier process kept, except those whose security associations are gone.
func (k *state) restore(stack *stack.Stack, proxy *gm.Proxy) {
	if k.journal == nil {
		return
	}

	restored := 0

	for _, left := range k.bindings {
		b, err := left.Restore(stack.Endpoint)
		if err == nil {
			err = proxy.Restore(b)
		}

		if err != nil {
			k.log.Info("a registration is not restored", "impi", left.Private, "cause", err)
			k.journal.Bindings().Forget(left.Token)

			continue
		}

		restored++
	}

	k.log.Info("registrations restored", "count", restored, "kept", len(k.bindings))
	k.bindings, k.sets = nil, nil
}

func (k *state) close() error {
	if k.journal == nil {
		return nil
	}

	return k.journal.Close()
}
