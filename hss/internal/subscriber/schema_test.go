package subscriber

import (
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/schema"
	"github.com/dialtone-ims/dialtone/test/tables"
)

// The steps of the schema lead to the tables of the program: a change of a type needs a step.
func TestSchema(t *testing.T) {
	tables.Stepped(t, schema.HSS,
		&Subscription{}, &PrivateIdentity{}, &RegistrationSet{}, &Registration{}, &PublicIdentity{},
		&ServiceProfile{}, &SharedFilterCriteria{}, &Push{}, &mark{}, &RepositoryData{}, &Watch{})
}
