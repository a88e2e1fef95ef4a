// Package bsf asks a BSF which PCF has the session of a UE (TS 29.521 §4.2.4).
package bsf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/nbsf"
	"github.com/dialtone-ims/dialtone/pkg/sbi"
)

const (
	patience = 2 * time.Second // for an answer of the BSF
	lasts    = time.Minute     // that a binding is used without asking again
	most     = 10_000          // bindings that are remembered
)

// Service is what is asked of a BSF.
var Service = sbi.Service{Of: sbi.BSF, Name: nbsf.Service}

// BSF remembers for a while what a BSF says.
type BSF struct {
	client *sbi.Client
	root   func(ctx context.Context) (string, error)
	dnn    string

	mu         sync.Mutex
	young, old map[netip.Addr]binding // half of most each: the old are dropped when there are too many young
}

type binding struct {
	root  string
	until time.Time
}

// New returns a BSF whose root is asked for at each request; "": the SCP finds it. dnn narrows the search; "": it does not.
func New(client *sbi.Client, root func(ctx context.Context) (string, error), dnn string) *BSF {
	return &BSF{client: client, root: root, dnn: dnn, young: map[netip.Addr]binding{}}
}

// Unbound is returned if no PCF can be asked about a UE.
type Unbound struct{ Why string }

func (u *Unbound) Error() string { return u.Why }

// Find returns the root of the API of the PCF that has the session of a UE; an *Unbound if there is none.
func (b *BSF) Find(ctx context.Context, ue netip.Addr) (string, error) {
	ue = ue.Unmap().WithZone("")

	if root, known := b.known(ue); known {
		return root, nil
	}

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	at, err := b.root(ctx)
	if err != nil {
		return "", err
	}

	q := &sbi.Request{Service: Service, Method: http.MethodGet, Root: at, Path: nbsf.Bindings + "?" + b.query(ue).Encode()}

	answer, err := b.client.Do(ctx, q)

	switch {
	case err != nil:
		return "", err
	case answer.Status == http.StatusNoContent || answer.Status == http.StatusNotFound:
		return "", &Unbound{
			answer.Words(fmt.Sprintf("no PCF has a PDU session with the address %s: a NAT stands between the gateway and this"+
				" P-CSCF, or the UE is on 4G, or the address is of another DNN", ue)),
		}
	case !answer.Successful():
		return "", errors.New(answer.Words(""))
	}

	root, err := read(answer.Body, scheme(at))
	if err != nil {
		return "", err
	}

	b.keep(ue, root)

	return root, nil
}

// query returns what a binding is looked for by (TS 29.521 §5.3.2.3.2): of IPv6, the address with its whole length.
func (b *BSF) query(ue netip.Addr) url.Values {
	query := url.Values{}

	if ue.Is4() {
		query.Set("ipv4Addr", ue.String())
	} else {
		query.Set("ipv6Prefix", ue.String()+"/128")
	}

	if b.dnn != "" {
		query.Set("dnn", b.dnn)
	}

	return query
}

func scheme(root string) string {
	if strings.HasPrefix(root, "https:") {
		return "https"
	}

	return "http"
}

// read returns the root of the API of a binding's PCF. A binding does not say whether TLS is used: it is as towards the BSF.
func read(body []byte, scheme string) (string, error) {
	var said nbsf.PcfBinding
	if err := json.Unmarshal(body, &said); err != nil {
		return "", fmt.Errorf("the BSF's binding cannot be read: %w", err)
	}

	at := sbi.Place{Scheme: scheme, FQDN: said.FQDN, EndPoints: said.EndPoints}
	if root := at.Root(); root != "" {
		return root, nil
	}

	if said.DiamHost != "" {
		return "", &Unbound{fmt.Sprintf("the BSF says that the UE's PCF takes Rx alone, at %.200q", said.DiamHost)}
	}

	return "", errors.New("the BSF's binding does not say where its PCF is")
}

func (b *BSF) known(ue netip.Addr) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()

	known, found := b.young[ue]
	if !found {
		known, found = b.old[ue]
	}

	return known.root, found && time.Now().Before(known.until)
}

func (b *BSF) keep(ue netip.Addr, root string) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if len(b.young) >= most/2 {
		b.young, b.old = map[netip.Addr]binding{}, b.young
	}

	b.young[ue] = binding{root, time.Now().Add(lasts)}
}

// Forget is called if the PCF of a UE does not know it any more. It reports whether the BSF is worth asking again.
func (b *BSF) Forget(ue netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()

	ue = ue.Unmap().WithZone("")
	_, young := b.young[ue]
	_, old := b.old[ue]

	delete(b.young, ue)
	delete(b.old, ue)

	return young || old
}
