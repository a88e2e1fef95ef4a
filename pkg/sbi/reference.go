package sbi

import (
	"net/http"
	"strings"
)

// references are the reference points of services in the trace, by what their paths have.
var references = []struct{ path, name string }{
	{"/npcf-policyauthorization/", "N5"}, {"/nbsf-", "Nbsf"}, {"/nnrf-", "Nnrf"}, {"/oauth2/", "Nnrf"},
}

// referenceOf returns the reference point of a request.
func referenceOf(r *http.Request) string {
	for _, known := range references {
		if strings.Contains(r.URL.Path, known.path) {
			return known.name
		}
	}

	return "SBI"
}
