package diameter_test

import (
	"context"
	"fmt"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// A server answers a request (LIR, TS 29.228 §6.3.1). What the function returns is the answer, and an error is its result. The node fills
// in Session-Id, Origin-Host and Origin-Realm.
func ExampleHandle() {
	config := diameter.DefaultConfig("hss.example.org", "example.org")
	config.Listen = []diameter.Listener{{Address: "127.0.0.1:0"}} // a free port
	config.AllowUnknownPeers = true                               // without it, config.Peers names who may connect

	hss, err := diameter.New(config, []diameter.Application{cx.Application}, diameter.Options{})
	if err != nil {
		panic(err)
	}

	diameter.Handle(hss, func(_ context.Context, request *cx.LIR) (*cx.LIA, error) {
		if request.PublicIdentity != "sip:alice@example.org" {
			return nil, cx.ErrorUserUnknown
		}

		return &cx.LIA{ServerName: "sip:scscf.example.org"}, nil
	})

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)

	go func() { ended <- hss.Run(ctx) }() // serves until ctx ends, then takes leave of its peers (DPR)

	address := hss.Addresses()[0].String()
	locate(address, "sip:alice@example.org", "sip:nobody@example.org") // the client of the other example

	cancel()
	fmt.Println("ended:", <-ended)
	// Output:
	// sip:alice@example.org is at sip:scscf.example.org
	// sip:nobody@example.org: Diameter experimental result 5001 of vendor 10415
	// ended: <nil>
}

// A client connects to its peer, sends it requests, and reads the answers. An error of Call means that no answer came; a refusal is an
// answer, whose Result says why.
func ExampleCall() {
	address, stop := serve("sip:alice@example.org", "sip:scscf.example.org") // the server of the other example
	defer stop()

	config := diameter.DefaultConfig("icscf.example.org", "example.org")
	config.Peers = []diameter.Peer{{Host: "hss.example.org", Realm: "example.org", Address: address}}

	icscf, err := diameter.New(config, []diameter.Application{cx.Application}, diameter.Options{})
	if err != nil {
		panic(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)

	go func() { ended <- icscf.Run(ctx) }() // connects, and connects again when the peer is lost

	connected(ctx, icscf) // waits until icscf.Ready() is nil: before that, Call gives ErrUnroutable

	answer, err := diameter.Call[cx.LIA](ctx, icscf, &cx.LIR{PublicIdentity: "sip:alice@example.org"})
	if err != nil {
		panic(err)
	}

	fmt.Println(answer.OriginHost, answer.Result.Code, answer.ServerName)

	cancel()
	fmt.Println("ended:", <-ended)
	// Output:
	// hss.example.org 2001 sip:scscf.example.org
	// ended: <nil>
}

// serve is the server that ExampleCall asks.
func serve(identity, server string) (address string, stop func()) {
	config := diameter.DefaultConfig("hss.example.org", "example.org")
	config.Listen = []diameter.Listener{{Address: "127.0.0.1:0"}}
	config.AllowUnknownPeers = true

	node, err := diameter.New(config, []diameter.Application{cx.Application}, diameter.Options{})
	if err != nil {
		panic(err)
	}

	diameter.Handle(node, func(_ context.Context, request *cx.LIR) (*cx.LIA, error) {
		if request.PublicIdentity != identity {
			return nil, cx.ErrorUserUnknown
		}

		return &cx.LIA{ServerName: server}, nil
	})

	return node.Addresses()[0].String(), run(node)
}

// locate is the client that ExampleHandle answers.
func locate(address string, identities ...string) {
	config := diameter.DefaultConfig("icscf.example.org", "example.org")
	config.Peers = []diameter.Peer{{Host: "hss.example.org", Realm: "example.org", Address: address}}

	node, err := diameter.New(config, []diameter.Application{cx.Application}, diameter.Options{})
	if err != nil {
		panic(err)
	}

	defer run(node)()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	connected(ctx, node)

	for _, identity := range identities {
		answer, err := diameter.Call[cx.LIA](ctx, node, &cx.LIR{PublicIdentity: identity})

		switch {
		case err != nil:
			panic(err)
		case answer.Result.Successful():
			fmt.Println(identity, "is at", answer.ServerName)
		default:
			fmt.Printf("%s: %v\n", identity, answer.Result)
		}
	}
}

// run runs a node until stop is called, which waits for its end.
func run(node *diameter.Node) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)

	go func() { ended <- node.Run(ctx) }()

	return func() {
		cancel()

		if err := <-ended; err != nil {
			panic(err)
		}
	}
}

// connected waits until the node has a peer for each of its applications.
func connected(ctx context.Context, node *diameter.Node) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()

	for node.Ready() != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			panic(node.Ready())
		}
	}
}
