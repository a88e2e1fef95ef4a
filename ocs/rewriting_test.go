package main_test

import (
	"bytes"
	"context"
	"net"
)

// rewriting dials a connection on which AVP codes 60415 and 60416 become those of CC-Request-Number and CC-Request-Type, so that a node can
// send what its dictionary would not let it. In messages of the session "x;none" Auth-Application-Id becomes an unknown AVP, in those of
// "x;other" it names another application.
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

	const application = "\x00\x00\x01\x02\x40\x00\x00\x0c\x00\x00\x00\x04"

	switch {
	case bytes.Contains(b, []byte("x;none")):
		b = bytes.ReplaceAll(b, []byte(application), []byte("\x00\x00\xec\x01\x00\x00\x00\x0c\x00\x00\x00\x04"))
	case bytes.Contains(b, []byte("x;other")):
		b = bytes.ReplaceAll(b, []byte(application), []byte(application[:11]+"\x05"))
	}

	return r.Conn.Write(b)
}
