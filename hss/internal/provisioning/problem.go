package provisioning

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// problem returns what is wrong with a field of the request.
func problem(field, format string, arguments ...any) error {
	return &httpapi.Error{
		Status: http.StatusUnprocessableEntity, Title: "the request cannot be carried out",
		Detail: field + ": " + fmt.Sprintf(format, arguments...),
	}
}

// prefixed adds to a problem the part of the request that it is in.
func prefixed(at string, err error) error {
	var p *httpapi.Error
	if errors.As(err, &p) {
		return &httpapi.Error{Status: p.Status, Title: p.Title, Detail: at + "." + p.Detail}
	}

	return err
}
