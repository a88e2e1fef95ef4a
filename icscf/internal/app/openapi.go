package app

import _ "embed"

// OpenAPI is the description of the admin HTTP, in OpenAPI 3.1. It is made of what the function serves:
// go test -run TestOpenAPI -rewrite.
//
//go:embed openapi.json
var OpenAPI []byte
