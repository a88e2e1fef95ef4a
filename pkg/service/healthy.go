package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// askedFor is the timeout of the readiness check.
const askedFor = 2 * time.Second

// healthy asks the process with this configuration whether it is ready: the health check of a container with nothing but the function in
// it, and so no other client.
func healthy(ctx context.Context, admin httpapi.Config) error {
	address, err := reachable(admin.Address)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(ctx, askedFor)
	defer cancel()

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("admin.address: %w", err)
	}

	// Never through a proxy, which engines put into the environment of their containers: the question is about this machine.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("not running, or not at admin.address: %w", err)
	}
	defer response.Body.Close()

	if response.StatusCode == http.StatusOK {
		return nil
	}

	problem := &httpapi.Error{Title: response.Status}

	if answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<16)); err == nil {
		_ = json.Unmarshal(answer, problem) // without a problem document the status is enough
	}

	return problem
}

// reachable returns the address by which this machine reaches an admin port: loopback for one at all addresses.
func reachable(listening string) (string, error) {
	host, port, err := net.SplitHostPort(listening)
	if err != nil {
		return "", fmt.Errorf("admin.address: %w", err)
	}

	if port == "0" || port == "" {
		return "", errors.New("admin.address: the port is taken anew at each start, and nobody else knows which")
	}

	address, err := netip.ParseAddr(host)

	switch {
	case host == "", err == nil && address == netip.IPv4Unspecified():
		host = "127.0.0.1"
	case err == nil && address.IsUnspecified():
		host = "::1"
	}

	return net.JoinHostPort(host, port), nil
}
