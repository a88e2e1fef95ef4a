package credit

import (
	"os"
	"testing"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/schema"
	"github.com/dialtone-ims/dialtone/test/postgres"
	"github.com/dialtone-ims/dialtone/test/tables"
)

func TestMain(m *testing.M) {
	status := m.Run()
	postgres.Stop()
	os.Exit(status)
}

// The steps of the schema lead to the tables of the program: a change of a type needs a step.
func TestSchema(t *testing.T) {
	tables.Stepped(t, schema.OCS,
		&ledger.Account{}, &ledger.Identity{}, &ledger.Movement{}, &ledger.SpentReference{},
		&Session{}, &reply{}, &CDR{}, &StoredTariff{})
}
