package service

import (
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// observe puts what every function shows on its admin port.
func observe(env *Env, runner Runner, settings any) {
	env.Admin.HandleOpen("GET /healthz", func(w http.ResponseWriter, _ *http.Request) error {
		return httpapi.Write(w, http.StatusOK, map[string]string{"status": "alive"})
	})

	env.Admin.HandleOpen("GET /readyz", func(w http.ResponseWriter, _ *http.Request) error {
		if err := runner.Ready(); err != nil {
			return &httpapi.Error{Status: http.StatusServiceUnavailable, Title: "not ready", Detail: err.Error()}
		}

		return httpapi.Write(w, http.StatusOK, map[string]string{"status": "ready"})
	})

	metrics := promhttp.HandlerFor(env.Metrics, promhttp.HandlerOpts{})
	env.Admin.HandleOpen("GET /metrics", serve(metrics))
	env.Admin.Handle("GET /debug/pprof/", serve(http.HandlerFunc(pprof.Index)))
	env.Admin.Handle("GET /debug/pprof/profile", serve(http.HandlerFunc(pprof.Profile)))

	env.Admin.Handle("GET /config", func(w http.ResponseWriter, _ *http.Request) error {
		var text strings.Builder
		if err := config.Print(&text, settings); err != nil {
			return err
		}

		w.Header().Set("Content-Type", "application/yaml")
		_, err := w.Write([]byte(redact(text.String())))

		return err
	})
}

func serve(h http.Handler) httpapi.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// redact hides what must not leave the process: tokens, passwords, and data source names that may hold one.
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
