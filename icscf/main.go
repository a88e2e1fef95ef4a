// Command icscf is the interrogating call session control function, the entry to the home network.
package main

import (
	"github.com/dialtone-ims/dialtone/icscf/internal/app"
	"github.com/dialtone-ims/dialtone/pkg/service"
)

func main() {
	service.Main(service.Function[app.Config]{
		Name:    "icscf",
		Short:   "interrogating CSCF: asks the HSS which S-CSCF serves a user, and passes requests on",
		Default: app.Default,
		Build:   app.Build,
		OpenAPI: app.OpenAPI,
	})
}
