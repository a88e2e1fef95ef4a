// Command ocs is the online charging system: Ro, rating, the ledger.
package main

import (
	"github.com/dialtone-ims/dialtone/ocs/internal/app"
	"github.com/dialtone-ims/dialtone/ocs/internal/command"
	"github.com/dialtone-ims/dialtone/pkg/service"
)

func main() {
	service.Main(service.Function[app.Config]{
		Name:     "ocs",
		Short:    "online charging system: Ro, rating, a double-entry ledger",
		Default:  app.Default,
		Build:    app.Build,
		OpenAPI:  app.OpenAPI,
		Commands: command.All(),
	})
}
