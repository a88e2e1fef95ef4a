// Package nrf asks an NRF where network functions are (TS 29.510 §6.2), and for access tokens to them (§6.3). What it says counts for as
// long as it says.
package nrf

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/dialtone-ims/dialtone/pkg/nnrf"
	"github.com/dialtone-ims/dialtone/pkg/sbi"
)

const (
	patience    = 2 * time.Second // for an answer of the NRF
	longest     = 24 * time.Hour  // that a result is used, whatever the NRF says
	avoided     = 30 * time.Second
	most        = 100     // places of a service that are used
	longestText = 1 << 14 // of a token, in octets
	unsaid      = time.Hour
)

// errNone is returned when the NRF knows no network function that takes requests for the service.
var errNone = errors.New("the NRF knows nobody who has the service and says where")

// NRF remembers what an NRF says.
type NRF struct {
	client   *sbi.Client
	root     string
	instance string
	flights  singleflight.Group

	mu     sync.Mutex
	found  map[sbi.Service]found
	tokens map[sbi.Service]token
	bad    map[string]time.Time // places that did not answer, until then they come last
}

type found struct {
	places []place
	until  time.Time
}

type place struct {
	root               string
	priority, capacity int
}

type token struct {
	text  string
	until time.Time
}

// New returns the NRF at this root. instance identifies this network function in requests for tokens.
func New(client *sbi.Client, root, instance string) *NRF {
	return &NRF{
		client: client, root: root, instance: instance,
		found: map[sbi.Service]found{}, tokens: map[sbi.Service]token{}, bad: map[string]time.Time{},
	}
}

// Find returns the roots of a service's APIs in the order in which to ask: by priority, and among equals at random, in proportion to their
// capacity (TS 29.510 §6.1.6.2.2); those that did not answer lately come last.
func (n *NRF) Find(ctx context.Context, s sbi.Service) ([]string, error) {
	n.mu.Lock()
	f := n.found[s]
	n.mu.Unlock()

	if !time.Now().Before(f.until) {
		fresh, err := once(ctx, n, "find "+s.Name, func(ctx context.Context) (any, error) { return n.discover(ctx, s) })
		if err != nil {
			return nil, err
		}

		f = fresh.(found)
	}

	if len(f.places) == 0 {
		return nil, errNone
	}

	return n.order(f.places), nil
}

// Avoid is called with the root of a network function that did not answer.
func (n *NRF) Avoid(root string) {
	n.mu.Lock()
	defer n.mu.Unlock()

	for bad, until := range n.bad {
		if !time.Now().Before(until) {
			delete(n.bad, bad)
		}
	}

	if len(n.bad) < most {
		n.bad[root] = time.Now().Add(avoided)
	}
}

func (n *NRF) order(places []place) (roots []string) {
	n.mu.Lock()
	defer n.mu.Unlock()

	now := time.Now()
	left := slices.Clone(places)

	for len(left) > 0 {
		at := pick(left, rand.IntN)
		roots = append(roots, left[at].root)
		left = slices.Delete(left, at, at+1)
	}

	slices.SortStableFunc(roots, func(x, y string) int {
		switch away, too := now.Before(n.bad[x]), now.Before(n.bad[y]); {
		case away == too:
			return 0
		case away:
			return 1
		default:
			return -1
		}
	})

	return slices.Compact(roots)
}

// pick returns the index of one of the places of the best priority.
func pick(places []place, intN func(int) int) int {
	best := slices.MinFunc(places, func(x, y place) int { return cmp.Compare(x.priority, y.priority) }).priority
	all := 0

	for _, p := range places {
		if p.priority == best {
			all += p.capacity
		}
	}

	var at, last int

	if all > 0 {
		at = intN(all)
	}

	for i, p := range places {
		if p.priority != best {
			continue
		}

		if last = i; at < p.capacity {
			return i
		}

		at -= p.capacity
	}

	return last
}

// once lets those who ask for the same thing at the same time wait for one request.
func once(ctx context.Context, n *NRF, key string, do func(context.Context) (any, error)) (any, error) {
	done := n.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()

		return do(ctx)
	})

	select {
	case r := <-done:
		return r.Val, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// discover asks for the network functions that have a service (TS 29.510 §5.3.2.2.2).
func (n *NRF) discover(ctx context.Context, s sbi.Service) (found, error) {
	query := url.Values{
		"target-nf-type": {string(s.Of)}, "requester-nf-type": {string(sbi.AF)}, "service-names": {s.Name},
	}

	answer, err := n.client.Do(ctx, &sbi.Request{
		Service: sbi.Service{
			Of:   sbi.NRF,
			Name: "nnrf-disc",
		}, Method: http.MethodGet, Root: n.root, Path: nnrf.Instances + "?" + query.Encode(),
	})

	switch {
	case err != nil:
		return found{}, err
	case !answer.Successful():
		return found{}, errors.New(answer.Words(""))
	}

	var result nnrf.SearchResult
	if err := json.Unmarshal(answer.Body, &result); err != nil {
		return found{}, fmt.Errorf("the NRF's list of network functions cannot be read: %w", err)
	}

	lasts := time.Duration(min(max(0, result.ValidityPeriod), int(longest/time.Second))) * time.Second
	f := found{places: places(&result, s), until: time.Now().Add(lasts)}

	if len(f.places) > 0 {
		n.mu.Lock()
		n.found[s] = f
		n.mu.Unlock()
	}

	return f, nil
}

// places returns where a service is.
func places(result *nnrf.SearchResult, s sbi.Service) (all []place) {
	for i := range result.Instances {
		nf := &result.Instances[i]
		if nf.Status != nnrf.Registered || nf.Type != s.Of {
			continue
		}

		services := slices.Clone(nf.Services)
		for _, service := range nf.ServiceList {
			services = append(services, service)
		}

		for j := range services {
			p, ok := placeOf(nf, &services[j], s)
			if ok && len(all) < most {
				all = append(all, p)
			}
		}
	}

	return all
}

// Values that a profile does not state (TS 29.510 §6.1.6.2.2): the capacity among those that state one.
const (
	unsaidPriority = 1 << 16
	unsaidCapacity = 1
	maxCapacity    = 1 << 16
)

func placeOf(nf *nnrf.NFProfile, service *nnrf.NFService, s sbi.Service) (place, bool) {
	if service.Name != s.Name || service.Status != nnrf.Registered || len(service.Versions) > 0 &&
		!slices.ContainsFunc(service.Versions, func(v nnrf.NFServiceVersion) bool { return v.InURI == "v1" }) {
		return place{}, false
	}

	where := sbi.Place{Scheme: service.Scheme, FQDN: cmp.Or(service.FQDN, nf.FQDN), EndPoints: service.EndPoints, Prefix: service.Prefix}
	if !slices.ContainsFunc(where.EndPoints, func(e sbi.IPEndPoint) bool { return e.IPv4+e.IPv6 != "" }) {
		where.EndPoints = endPoints(nf, service)
	}

	p := place{root: where.Root(), priority: unsaidPriority, capacity: unsaidCapacity}

	for _, priority := range []*int{service.Priority, nf.Priority} {
		if priority != nil {
			p.priority = *priority
			break
		}
	}

	for _, capacity := range []*int{service.Capacity, nf.Capacity} {
		if capacity != nil {
			p.capacity = min(max(*capacity, 0), maxCapacity)
			break
		}
	}

	return p, p.root != ""
}

// endPoints returns the addresses of a network function, for a service that has none of its own but perhaps a port.
func endPoints(nf *nnrf.NFProfile, service *nnrf.NFService) (all []sbi.IPEndPoint) {
	port := 0
	if len(service.EndPoints) > 0 {
		port = service.EndPoints[0].Port
	}

	for _, address := range nf.IPv4Addresses {
		all = append(all, sbi.IPEndPoint{IPv4: address, Port: port})
	}

	for _, address := range nf.IPv6Addresses {
		all = append(all, sbi.IPEndPoint{IPv6: address, Port: port})
	}

	if len(all) == 0 && port != 0 {
		all = append(all, sbi.IPEndPoint{Port: port})
	}

	return all
}

// Token returns an access token for a service (TS 29.510 §5.4.2.2), a new one if the last one is about to expire or is the refused one.
func (n *NRF) Token(ctx context.Context, s sbi.Service, refused string) (string, error) {
	n.mu.Lock()
	t := n.tokens[s]

	if t.text == refused {
		t = token{}
		delete(n.tokens, s)
	}
	n.mu.Unlock()

	if time.Now().Before(t.until) {
		return t.text, nil
	}

	fresh, err := once(ctx, n, "token "+s.Name, func(ctx context.Context) (any, error) { return n.grant(ctx, s) })
	if err != nil {
		return "", err
	}

	return fresh.(string), nil
}

// grant asks for a token with this network function's own credentials, which are its certificate (TS 33.501 §13.4.1).
func (n *NRF) grant(ctx context.Context, s sbi.Service) (string, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "nfInstanceId": {n.instance}, "nfType": {string(sbi.AF)},
		"targetNfType": {string(s.Of)}, "scope": {s.Name},
	}

	answer, err := n.client.Do(ctx, &sbi.Request{
		Service: sbi.Service{Of: sbi.NRF, Name: "oauth2"}, Method: http.MethodPost, Root: n.root, Path: nnrf.Token,
		ContentType: nnrf.Form, Body: []byte(form.Encode()),
	})

	switch {
	case err != nil:
		return "", err
	case !answer.Successful():
		return "", errors.New(answer.Words(""))
	}

	t, err := read(answer.Body)
	if err != nil {
		return "", fmt.Errorf("the NRF's access token cannot be used: %w", err)
	}

	n.mu.Lock()
	n.tokens[s] = t
	n.mu.Unlock()

	return t.text, nil
}

func unprintable(r rune) bool { return r <= ' ' || r > '~' }

// read reads an access token.
func read(body []byte) (token, error) {
	var said nnrf.AccessTokenRsp
	if err := json.Unmarshal(body, &said); err != nil {
		return token{}, err
	}

	switch {
	case !strings.EqualFold(said.Type, "Bearer"):
		return token{}, fmt.Errorf("its type is %.20q, not Bearer", said.Type)
	case said.Token == "" || len(said.Token) > longestText || strings.ContainsFunc(said.Token, unprintable):
		return token{}, errors.New("it is not of the characters of a token, or too long")
	case said.ExpiresIn != nil && *said.ExpiresIn <= 0:
		return token{}, errors.New("it has expired already")
	}

	lasts := unsaid
	if said.ExpiresIn != nil {
		lasts = time.Duration(min(*said.ExpiresIn, int(longest/time.Second))) * time.Second
	}

	return token{said.Token, time.Now().Add(lasts - min(lasts/10, 30*time.Second))}, nil // it is renewed before it expires on the way
}
