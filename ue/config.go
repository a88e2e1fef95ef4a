package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// config returns the handset of the flags.
func (o options) config(ctx context.Context) (handset.Config, error) {
	c := handset.Config{
		IMSI: o.imsi, Domain: o.domain, SQN: aka.SQN(o.sqn), Expires: o.expires,
		Instance: handset.Instance(o.imsi), Access: "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001",
		Say: say, CancelTime: endTime, Emergency: o.emergency, Unregistered: o.unregistered,
	}

	var err error

	if o.imei != "" {
		if c.Instance, err = instance(o.imei); err != nil {
			return c, err
		}
	}

	switch {
	case o.unregistered && (o.emergency || o.ipsec):
		return c, errors.New("--unregistered: without a registration there is neither --emergency nor --ipsec")
	case o.unregistered:
		c.IMSI = "" // nobody knows whose it is
	default:
		if err = o.card(&c); err != nil {
			return c, err
		}
	}

	if c.Address, err = netip.ParseAddrPort(o.address); err != nil {
		return c, fmt.Errorf("--address: %w", err)
	}

	target, err := o.discover(ctx, c.Address.Addr())
	c.Proxy, c.Transport = target.Addr, target.Transport

	return c, err
}

// card adds the keys of the SIM.
func (o options) card(c *handset.Config) (err error) {
	if c.K, err = key("k", o.k); err != nil {
		return err
	}

	if o.op == "" {
		c.OPc, err = key("opc", o.opc)
		return err
	}

	op, err := key("op", o.op)
	c.OPc = aka.OPc(c.K, op)

	return err
}

// instance returns the URN of an IMEI (RFC 7254 §4). Its last digit, a check of the others, is written as 0.
func instance(imei string) (string, error) {
	const tac, serial = 8, 14

	if len(imei) != serial+1 || strings.Trim(imei, "0123456789") != "" {
		return "", fmt.Errorf("--imei: %q is not 15 digits", imei)
	}

	return fmt.Sprintf("urn:gsma:imei:%s-%s-0", imei[:tac], imei[tac:serial]), nil
}

// security returns what the handset offers in Security-Client.
func (o options) security(kernel handset.Kernel) (*handset.Security, error) {
	security := &handset.Security{Kernel: kernel, ClientPort: 31000, ServerPort: 31500, Linger: 2 * time.Second}

	for _, text := range o.algorithms {
		suite, err := ipsec.ParseSuite(text)
		if err != nil {
			return nil, fmt.Errorf("--algorithms: %w", err)
		}

		security.Suites = append(security.Suites, suite)
	}

	if o.algorithms != nil {
		return security, nil
	}

	support := ipsec.Probe(ipsec.Options{Role: ipsec.UE, Namespace: o.namespace})
	if support.Missing != nil {
		return nil, fmt.Errorf("--ipsec: %w", support.Missing)
	}

	for _, suite := range ipsec.Suites {
		if support.Has(suite) {
			security.Suites = append(security.Suites, suite)
		}
	}

	return security, nil
}

func key(name, text string) ([16]byte, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 16 {
		return [16]byte{}, fmt.Errorf("--%s: 32 hexadecimal digits are needed", name)
	}

	return [16]byte(b), nil
}
