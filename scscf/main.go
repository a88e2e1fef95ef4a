// Command scscf is the S-CSCF: it registers users and serves their sessions (TS 23.228 §4.6.3, TS 24.229 §5.4).
package main

import (
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/scscf/internal/app"
)

func main() {
	service.Main(service.Function[app.Config]{
		Name:    "scscf",
		Short:   "S-CSCF: registrar, filter criteria, sessions and their charging",
		Default: app.Default,
		Build:   app.Build,
		OpenAPI: app.OpenAPI,
	})
}
