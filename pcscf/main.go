// The pcscf command is the proxy call session control function: the handsets' first contact with IMS.
package main

import (
	"github.com/dialtone-ims/dialtone/pcscf/internal/app"
	"github.com/dialtone-ims/dialtone/pkg/service"
)

func main() {
	service.Main(service.Function[app.Config]{
		Name:    "pcscf",
		Short:   "proxy CSCF: the handsets' first contact with IMS",
		Default: app.Default,
		Build:   app.Build,
	})
}
