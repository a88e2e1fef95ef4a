package service

import (
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/trace"
)

// Observe serves what every function has on its admin port. description, in OpenAPI 3.1, describes all that the function serves.
func Observe(env *Env, recorder *trace.Recorder, runner Runner, settings any, description []byte) {
	text := []httpapi.Answer{{Status: http.StatusOK, Type: "text/plain"}}
	octets := []httpapi.Answer{{Status: http.StatusOK, Type: "application/octet-stream"}}
	seconds := httpapi.Parameter{Name: "seconds", Summary: "how long to look", Number: true, Most: 59}

	env.Admin.Handle(recorder.Resources()...)
	env.Admin.Handle(
		httpapi.Resource{
			Pattern: "GET /healthz", Summary: "the process lives", Open: true, Answers: httpapi.OK(status{}),
			Handler: func(w http.ResponseWriter, _ *http.Request) error {
				return httpapi.Write(w, http.StatusOK, status{Status: "alive"})
			},
		},
		httpapi.Resource{
			Pattern: "GET /readyz", Summary: "the function serves", Open: true, Answers: httpapi.OK(status{}),
			Refuses: []int{http.StatusServiceUnavailable},
			Handler: func(w http.ResponseWriter, _ *http.Request) error {
				if err := runner.Ready(); err != nil {
					return &httpapi.Error{Status: http.StatusServiceUnavailable, Title: "not ready", Detail: err.Error()}
				}

				return httpapi.Write(w, http.StatusOK, status{Status: "ready"})
			},
		},
		httpapi.Resource{
			Pattern: "GET /metrics", Summary: "metrics for Prometheus", Open: true, Answers: text,
			Handler: serve(promhttp.HandlerFor(env.Metrics, promhttp.HandlerOpts{})),
		},
		httpapi.Resource{
			Pattern: "GET /debug/pprof/{profile...}", Summary: "a profile of Go's runtime, or their list",
			Query: []httpapi.Parameter{
				seconds,
				{Name: "debug", Summary: "1: as text", Number: true, Most: 2},
				{Name: "gc", Summary: "1: collect garbage first", Number: true, Most: 1},
			},
			Answers: append(octets, httpapi.Answer{Status: http.StatusNotFound, Type: "text/plain"}),
			Handler: serve(http.HandlerFunc(pprof.Index)),
		},
		httpapi.Resource{
			Pattern: "GET /debug/pprof/profile", Summary: "a profile of the processor time",
			Query: []httpapi.Parameter{seconds}, Answers: octets, Handler: serve(http.HandlerFunc(pprof.Profile)),
		},
		httpapi.Resource{
			Pattern: "GET /config", Summary: "the settings in force, without secrets",
			Answers: []httpapi.Answer{{Status: http.StatusOK, Type: "application/yaml"}},
			Handler: func(w http.ResponseWriter, _ *http.Request) error {
				var text strings.Builder
				if err := config.Print(&text, settings); err != nil {
					return err
				}

				w.Header().Set("Content-Type", "application/yaml")
				_, err := w.Write([]byte(redact(text.String())))

				return err
			},
		},
		httpapi.Resource{
			Pattern: "GET /openapi.json", Summary: "this description",
			Answers: []httpapi.Answer{{Status: http.StatusOK, Type: "application/openapi+json"}},
			Handler: func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", "application/openapi+json")
				_, err := w.Write(description)

				return err
			},
		},
	)
}

// status is the answer of GET /healthz and GET /readyz.
type status struct {
	Status string `json:"status"` // alive or ready
}

func serve(h http.Handler) httpapi.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// redact hides what must not leave the process: tokens, passwords, and data source names that may contain one.
func redact(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimLeft(key, " -") {
		case "token", "password", "dsn":
			if value = strings.TrimSpace(value); value != "" && value != `""` {
				lines[i] = key + ": (hidden)"
			}
		}
	}

	return strings.Join(lines, "\n")
}
