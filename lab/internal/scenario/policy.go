package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/dialtone-ims/dialtone/lab/internal/ladder"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
	"github.com/dialtone-ims/dialtone/pkg/policy"
)

// Simulated is a PCRF or a PCF in the lab's own process.
type Simulated struct {
	name  string // in the ladder
	voice func(ue netip.Addr) []string
	moved func(ctx context.Context, ue netip.Addr) (access string, err error)
	known func() []policy.Event

	log   io.Closer // nil: none
	stop  context.CancelFunc
	ended chan error
}

var errNoSession = errors.New("there is no session")

// Simulate starts the PCRF or PCF of a place; the PCRF has its log in data.
func (p Place) Simulate(network PLMN, data string) (*Simulated, error) {
	if p.Bearers == N5 {
		return simulatePCF()
	}

	return simulatePCRF(network, data)
}

func simulatePCRF(network PLMN, data string) (*Simulated, error) {
	if err := os.MkdirAll(filepath.Join(data, "log"), 0o755); err != nil {
		return nil, err
	}

	log, err := os.Create(filepath.Join(data, "log", "pcrf.log"))
	if err != nil {
		return nil, err
	}

	realm := network.realm()

	c := diameter.DefaultConfig("pcrf."+realm, realm)
	c.Listen = []diameter.Listener{{Address: addressOfPCRF.String()}}
	c.AllowUnknownPeers = true

	server, err := policy.NewPCRF(c, diameter.Options{Log: slog.New(slog.NewJSONHandler(log, nil))})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the simulated PCRF: %w", err), log.Close())
	}

	s := &Simulated{
		name: ladder.PCRF, log: log, known: server.Events,
		voice: func(ue netip.Addr) []string { return voiceOverRx(server, ue) },
		moved: func(ctx context.Context, ue netip.Addr) (string, error) { return movedOverRx(ctx, server, ue) },
	}
	s.run(server.Run)

	return s, nil
}

func simulatePCF() (*Simulated, error) {
	listener, err := net.Listen("tcp", addressOfPCF.String())
	if err != nil {
		return nil, fmt.Errorf("the simulated PCF: %w", err)
	}

	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: addressOfPCF.Addr().AsSlice()}}
	server := policy.NewPCF(dialer.DialContext)
	s := &Simulated{
		name: ladder.PCF, known: server.Events,
		voice: func(ue netip.Addr) []string { return voiceOverN5(server, ue) },
		moved: func(ctx context.Context, ue netip.Addr) (string, error) { return movedOverN5(ctx, server, ue) },
	}
	s.run(func(ctx context.Context) error {
		served := make(chan struct{})

		go func() {
			defer close(served)

			server.Serve(listener)
		}()

		<-ctx.Done()
		err := server.Close()
		<-served

		return err
	})

	return s, nil
}

func (s *Simulated) run(serve func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.ended = stop, make(chan error, 1)

	go func() { s.ended <- serve(ctx) }()
}

// Stop stops it.
func (s *Simulated) Stop() error {
	s.stop()

	err := <-s.ended
	if s.log != nil {
		err = errors.Join(err, s.log.Close())
	}

	return err
}

// voiceOverRx returns the RTP flows granted to a UE.
func voiceOverRx(server *policy.PCRF, ue netip.Addr) (flows []string) {
	for _, q := range server.Sessions() {
		if at, err := q.UE(); err != nil || at.Addr() != ue {
			continue
		}

		for i := range q.MediaComponents {
			if c := &q.MediaComponents[i]; c.MediaType != nil && *c.MediaType == rx.Audio && len(c.SubComponents) > 0 {
				flows = append(flows, c.SubComponents[0].FlowDescriptions...)
			}
		}
	}

	return flows
}

// voiceOverN5 returns the RTP flows granted to a UE.
func voiceOverN5(server *policy.PCF, ue netip.Addr) (flows []string) {
	for _, q := range server.Sessions() {
		for _, c := range q.MediaComponents {
			if q.IPv4 == ue.String() && c.Type == "AUDIO" && c.SubComponents["1"] != nil {
				flows = append(flows, c.SubComponents["1"].Descriptions...)
			}
		}
	}

	return flows
}

// movedOverRx reports in the session of a UE's call that the UE is on WLAN now (RAR, TS 29.214 §4.4.6.3).
func movedOverRx(ctx context.Context, server *policy.PCRF, ue netip.Addr) (string, error) {
	for id, q := range server.Sessions() {
		at, err := q.UE()
		if err != nil || at.Addr() != ue {
			continue
		}

		result, err := server.Moved(ctx, id, rx.NonEPS, rx.WLAN)
		if err == nil && result != rx.Success {
			err = result
		}

		return "WLAN", err
	}

	return "", errNoSession
}

// movedOverN5 reports the same by a notification (TS 29.514 §4.2.5.2).
func movedOverN5(ctx context.Context, server *policy.PCF, ue netip.Addr) (string, error) {
	for path, q := range server.Sessions() {
		if q.IPv4 != ue.String() {
			continue
		}

		status, err := server.Notify(ctx, path, npcf.EventsNotification{
			Events: []npcf.EventNotification{{Event: npcf.AccessTypeChange}}, AccessType: "NON_3GPP_ACCESS", RATType: "WLAN",
		})
		if err == nil && status != http.StatusNoContent {
			err = fmt.Errorf("it is answered %d", status)
		}

		return "WLAN", err
	}

	return "", errNoSession
}
