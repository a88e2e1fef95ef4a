package app

import (
	"errors"
	"log/slog"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/gm"
	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/association"
	"github.com/dialtone-ims/dialtone/pcscf/internal/journal"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// kept is what an earlier process left, and where this one leaves it.
type kept struct {
	store    *journal.Store // nil: nothing outlives the process
	bindings []binding.Kept
	sets     []association.Kept
	log      *slog.Logger
}

func openKept(directory string, log *slog.Logger) (*kept, error) {
	k := &kept{log: log}

	if directory == "" {
		return k, nil
	}

	var err error
	k.store, k.bindings, k.sets, err = journal.Open(directory, log)

	return k, err
}

func (k *kept) keeperOfSets() association.Keeper {
	if k.store == nil {
		return nil
	}

	return k.store.Sets()
}

// restore takes up the registrations that an earlier process left, but for those whose associations are gone.
func (k *kept) restore(stack *stack.Stack, table *binding.Table, security gm.Security) {
	if k.store == nil {
		return
	}

	restored := 0

	for _, left := range k.bindings {
		b, err := left.Restore(stack.Endpoint)
		if err == nil && b.Protected() && !security.Protected(b.Flow) {
			err = errors.New("its security associations are gone")
		}

		if err == nil {
			err = table.Put(b)
		}

		if err != nil {
			k.log.Info("a registration is not taken up again", "impi", left.Private, "cause", err)
			k.store.Bindings().Forget(left.Token)

			continue
		}

		restored++
	}

	table.KeepBy(k.store.Bindings())
	k.log.Info("registrations of an earlier process", "count", restored, "kept", len(k.bindings))
	k.bindings, k.sets = nil, nil
}

func (k *kept) close() error {
	if k.store == nil {
		return nil
	}

	return k.store.Close()
}
