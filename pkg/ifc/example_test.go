package ifc_test

import (
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

// request is a MESSAGE of a registered user.
type request struct{}

func (request) Method() string                         { return "MESSAGE" }
func (request) RequestURI() string                     { return "tel:+15550002" }
func (request) SessionCase() ifc.SessionCase           { return ifc.Originating }
func (request) RegistrationType() ifc.RegistrationType { return ifc.InitialRegistration }
func (request) SDP() []byte                            { return nil }
func (request) EachHeader(string, func(string) bool)   {}
func (request) EachHeaderName(func(string) bool)       {}

// The filter criteria of a service profile select the application servers of a request (TS 29.228 annex B).
func Example() {
	subscription, err := ifc.Parse([]byte(`<IMSSubscription><PrivateID>alice@example.org</PrivateID><ServiceProfile>
  <PublicIdentity><Identity>sip:alice@example.org</Identity></PublicIdentity>
  <InitialFilterCriteria>
    <Priority>0</Priority>
    <TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><Method>MESSAGE</Method></SPT></TriggerPoint>
    <ApplicationServer><ServerName>sip:archive.example.org</ServerName></ApplicationServer>
  </InitialFilterCriteria>
</ServiceProfile></IMSSubscription>`))
	if err != nil {
		panic(err)
	}

	chain, err := ifc.Compile(subscription.ServiceProfiles[0], nil)
	if err != nil {
		panic(err)
	}

	for match := range chain.Matches(request{}, -1, true) {
		fmt.Println(match.Server)
	}
	// Output: sip:archive.example.org
}
