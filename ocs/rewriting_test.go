package main_test

import (
	"bytes"
	"context"
	"net"
)

// rewriting dials a connection on which AVP codes 60415 and 60416 become those of CC-Request-Number and CC-Request-Type, so
// that a node can send what its dictionary would not let it.
func rewriting(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}

	return &rewriter{conn}, nil
}

type rewriter struct{ net.Conn }

func (r *rewriter) Write(b []byte) (int, error) {
	for stray, code := range map[string][]byte{"\x00\x00\xeb\xff": {0, 0, 1, 159}, "\x00\x00\xec\x00": {0, 0, 1, 160}} {
		b = bytes.ReplaceAll(b, []byte(stray), code)
	}

	return r.Conn.Write(b)
}
