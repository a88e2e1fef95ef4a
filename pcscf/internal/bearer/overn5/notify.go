package overn5

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pkg/bounded"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
)

// notifications is the path that receives notifications, followed by the name of the session.
const notifications = "/n5/v1/sessions/"

// Limits of those who tell. A PCF has a connection or a few, and waits for an answer before it tells more of a session.
const (
	connections = 64 // in all; a further one is closed at once
	ofOneSource = 16
	streams     = 16 // requests at a time of a connection
	patience    = 10 * time.Second
	maxHeader   = 1 << 14 // octets
	maxNotified = 1 << 16 // octets of a body
)

// Run takes what the PCF says of sessions until ctx ends.
func (p *PCF) Run(ctx context.Context, b *bearer.Bearers) error {
	listener, err := p.listen("tcp", p.config.Notify)
	if err != nil {
		return err
	}

	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)

	server := &http.Server{
		Handler: p.tap.Server(p.handler(b), "N5"), Protocols: protocols, MaxHeaderBytes: maxHeader, TLSConfig: p.config.NotifyTLS,
		ErrorLog:          slog.NewLogLogger(complaints{p.log.Handler()}, slog.LevelWarn),
		ReadHeaderTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, IdleTimeout: patience,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: streams, WriteByteTimeout: patience},
	}

	stop := context.AfterFunc(ctx, func() {
		_ = server.Close()
		p.client.Close()
	})
	defer stop()

	listener = bounded.Listener(listener, connections, ofOneSource)

	if p.config.NotifyTLS == nil {
		err = server.Serve(listener)
	} else {
		err = server.ServeTLS(listener, "", "")
	}

	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}

	return nil
}

// complaints are what the HTTP server says of connections, such as that a client has no certificate.
type complaints struct{ slog.Handler }

func (c complaints) Handle(ctx context.Context, r slog.Record) error {
	said := slog.NewRecord(r.Time, r.Level, "a connection of who wants to notify fails", r.PC)
	said.AddAttrs(slog.String("cause", r.Message))

	return c.Handler.Handle(ctx, said)
}

func (p *PCF) handler(b *bearer.Bearers) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+notifications+"{session}"+npcf.Terminate, func(w http.ResponseWriter, r *http.Request) {
		var said npcf.TerminationInfo
		if !read(w, r, &said) {
			return
		}

		answer(w, b.AbortBusy(r.PathValue("session"), said.Cause, aftermath)) // TS 29.514 §4.2.5.3
	})
	mux.HandleFunc("POST "+notifications+"{session}"+npcf.Notify, func(w http.ResponseWriter, r *http.Request) {
		var said npcf.EventsNotification
		if !read(w, r, &said) {
			return
		}

		answer(w, notified(b, r.PathValue("session"), &said))
	})

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mux.ServeHTTP(bodiless{w}, r) })
}

// bodiless answers by the status alone, mux's own refusals too: a body would wait for room in the client's window.
type bodiless struct{ http.ResponseWriter }

func (bodiless) Write(b []byte) (int, error) { return len(b), nil }

func (b bodiless) WriteHeader(status int) {
	b.Header().Del("Content-Type")
	b.ResponseWriter.WriteHeader(status)
}

// notified handles the events of a session (TS 29.514 §4.2.5.2, §4.2.5.8, §4.2.5.10).
func notified(b *bearer.Bearers, session string, said *npcf.EventsNotification) (known bool) {
	known = b.Known(session)

	for _, e := range said.Events {
		switch e.Event {
		case npcf.FailedResourcesAllocation:
			known = b.Lose(session, e.Event, failed(said, e.Flows)) && known
		case npcf.AccessTypeChange:
			known = b.Moved(session, strings.TrimSpace(said.AccessType+" "+said.RATType)) && located(b, session, said) && known
		case npcf.AccessInformationReport:
			known = located(b, session, said) && known
		}
	}

	return known
}

func located(b *bearer.Bearers, session string, said *npcf.EventsNotification) (known bool) {
	at, err := where(said)
	return b.Located(session, at, err)
}

// failed returns the components without resources; none: all are without.
func failed(said *npcf.EventsNotification, flows []npcf.Flows) (components []uint32) {
	for _, report := range said.Failed {
		if report.Status != npcf.ResourcesActive {
			flows = append(flows, report.Flows...)
		}
	}

	for _, f := range flows {
		if !slices.Contains(components, f.Component) {
			components = append(components, f.Component)
		}
	}

	return components
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxNotified)).Decode(into); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return false
	}

	return true
}

func answer(w http.ResponseWriter, known bool) {
	if !known {
		w.WriteHeader(http.StatusNotFound)
		return
	}

	w.WriteHeader(http.StatusNoContent)
}
