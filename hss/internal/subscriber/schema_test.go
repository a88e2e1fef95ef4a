package subscriber

import (
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/schema"
	"github.com/dialtone-ims/dialtone/test/tables"
)

// The steps of the schema lead to the tables that the program works with: who changes a type adds a step.
func TestSchema(t *testing.T) {
	tables.Stepped(t, schema.HSS,
		&Subscription{}, &PrivateIdentity{}, &RegistrationSet{}, &Registration{}, &PublicIdentity{},
		&ServiceProfile{}, &SharedFilterCriteria{}, &Push{}, &mark{})
}
