// Package hss is the S-CSCF's side of Cx (TS 29.228): the requests that it sends to the HSS, and those that the HSS sends.
package hss

import (
	"context"
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// Client sends MAR, SAR and LIR in the S-CSCF's name.
type Client struct {
	node       *diameter.Node
	serverName string
	features   uint32
}

// Options are the dependencies of a Client.
type Options struct {
	Node       *diameter.Node
	ServerName string // SIP URI by which the HSS and the I-CSCF know this S-CSCF
	SharedSets bool   // shared iFC sets are configured here, and announced (TS 29.229 §7.1.1)
}

// New returns a Client.
func New(o Options) *Client {
	c := &Client{node: o.Node, serverName: o.ServerName}
	if o.SharedSets {
		c.features = cx.FeatureSharedSets
	}

	return c
}

// MultimediaAuth sends a MAR (TS 29.228 §6.3).
func (c *Client) MultimediaAuth(ctx context.Context, req *cx.MAR) (*cx.MAA, error) {
	req.ServerName = c.serverName

	return diameter.Call[cx.MAA](ctx, c.node, req)
}

// ServerAssignment sends a SAR (TS 29.228 §6.1.2).
func (c *Client) ServerAssignment(ctx context.Context, req *cx.SAR) (*cx.SAA, error) {
	req.ServerName = c.serverName

	if c.features != 0 {
		req.SupportedFeatures = []cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: c.features}}
	}

	return diameter.Call[cx.SAA](ctx, c.node, req)
}

// Exists reports whether somebody has a public identity; it asks by LIR, as an I-CSCF does (TS 29.228 §6.1.4).
func (c *Client) Exists(ctx context.Context, public string) (bool, error) {
	answer, err := diameter.Call[cx.LIA](ctx, c.node, &cx.LIR{PublicIdentity: public})
	if err != nil {
		return false, err
	}

	switch result := answer.Result; {
	case result == cx.ErrorUserUnknown:
		return false, nil
	case result.Successful(), result == cx.ErrorIdentityNotRegistered:
		return true, nil
	default:
		return false, fmt.Errorf("LIA: %w", result)
	}
}

// Registrations are the procedures that the HSS can begin.
type Registrations interface {
	RegistrationTermination(ctx context.Context, req *cx.RTR) (*cx.RTA, error)
	PushProfile(ctx context.Context, req *cx.PPR) (*cx.PPA, error)
}

// Serve answers RTR (TS 29.228 §6.1.3) and PPR (§6.2). It is called before the node runs.
func (c *Client) Serve(r Registrations) {
	cx.Handle(c.node, c.features, r.RegistrationTermination)
	cx.Handle(c.node, c.features, r.PushProfile)
}
