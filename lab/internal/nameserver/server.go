// Package nameserver is an authoritative name server (RFC 1034, RFC 1035): it answers for its zones over UDP and TCP, and refuses all else.
package nameserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/dialtone-ims/dialtone/lab/internal/zone"
	"github.com/dialtone-ims/dialtone/pkg/bounded"
)

// Limits of a connection. RFC 7766 §6.2.3 leaves them to the server.
const (
	firstTime = 2 * time.Second // for the first question
	idleTime  = 8 * time.Second // for the next one
	questions = 128
)

// Connections that are open at a time, and those of one source: a further one is closed at once, and who has it asks by UDP or comes again.
const (
	connections = 100
	ofOneSource = 20
)

// Server is a name server at some addresses.
type Server struct {
	zones   atomic.Pointer[[]*zone.Zone]
	servers []*dns.Server
	lookups lookups
}

// Listen opens the sockets, at each address for UDP and TCP. Questions are answered while Run runs.
func Listen(addresses []netip.AddrPort) (*Server, error) {
	s := new(Server)
	s.Put(nil)

	for _, address := range addresses {
		if err := s.listen(address); err != nil {
			return nil, errors.Join(fmt.Errorf("name server: %w", err), s.close())
		}
	}

	return s, nil
}

func (s *Server) listen(address netip.AddrPort) error {
	listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(address))
	if err != nil {
		return err
	}

	bound := address.Addr()
	port := listener.Addr().(*net.TCPAddr).AddrPort().Port()

	socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(bound, port)))
	if err != nil {
		return errors.Join(err, listener.Close())
	}

	s.servers = append(s.servers,
		&dns.Server{PacketConn: socket, Handler: s, UDPSize: datagram, WriteTimeout: firstTime},
		&dns.Server{
			Listener: bounded.Listener(listener, connections, ofOneSource), Handler: s, ReadTimeout: firstTime, WriteTimeout: firstTime,
			IdleTimeout: func() time.Duration { return idleTime }, MaxTCPQueries: questions,
		},
	)

	return nil
}

func (s *Server) close() (failed error) {
	for _, server := range s.servers {
		if server.PacketConn != nil {
			failed = errors.Join(failed, server.PacketConn.Close())
		} else {
			failed = errors.Join(failed, server.Listener.Close())
		}
	}

	return failed
}

// Addresses returns the addresses of its sockets.
func (s *Server) Addresses() (all []netip.AddrPort) {
	for _, server := range s.servers {
		if server.Listener != nil {
			all = append(all, server.Listener.Addr().(*net.TCPAddr).AddrPort())
		}
	}

	return all
}

// Put replaces the zones that are served.
func (s *Server) Put(zones []*zone.Zone) { s.zones.Store(&zones) }

// Run answers until ctx ends, or a socket fails.
func (s *Server) Run(ctx context.Context) error {
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		failed  error
	)

	ctx, stop := context.WithCancel(ctx)
	defer stop()

	for _, server := range s.servers {
		started := make(chan struct{})
		server.NotifyStartedFunc = sync.OnceFunc(func() { close(started) })

		running.Go(func() {
			if err := server.ActivateAndServe(); err != nil {
				mu.Lock()
				failed = errors.Join(failed, fmt.Errorf("name server: %w", err))
				mu.Unlock()
			}

			server.NotifyStartedFunc() // it may have failed already
			stop()
		})

		running.Go(func() {
			<-ctx.Done()
			<-started // before, there is nothing to shut down

			_ = server.Shutdown() // a failure of its own is reported already
		})
	}

	running.Wait()

	return failed
}

// ServeDNS answers one message.
func (s *Server) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := answer(*s.zones.Load(), q)
	s.lookups.note(q, m)

	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		fit(m, q)
	}

	_ = w.WriteMsg(m) // the client is gone, or will ask again
}
