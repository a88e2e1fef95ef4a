// Command hss is the home subscriber server: the server of Cx, S6a, SWx and Sh, the authentication centre and the subscriber store.
package main

import (
	"github.com/dialtone-ims/dialtone/hss/internal/app"
	"github.com/dialtone-ims/dialtone/hss/internal/command"
	"github.com/dialtone-ims/dialtone/pkg/service"
)

func main() {
	service.Main(service.Function[app.Config]{
		Name:     "hss",
		Short:    "home subscriber server: Cx, S6a, SWx, Sh, authentication, subscribers",
		Default:  app.Default,
		Build:    app.Build,
		OpenAPI:  app.OpenAPI,
		Commands: command.All(),
	})
}
