// Package cx is the S-CSCF's side of Cx (TS 29.228): the requests that it sends to the HSS, and those that the HSS sends.
package cx

import (
	"context"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// sharedIFCSets is the feature bit of TS 29.229 §7.1.1 that lets the HSS send numbers of shared iFC sets.
const sharedIFCSets = 1

// Client sends MAR and SAR under the S-CSCF's name.
type Client struct {
	Node       *diameter.Node
	ServerName string // SIP URI, as the HSS and the I-CSCF know this S-CSCF
	// SharedSets announces that shared iFC sets are configured here.
	SharedSets bool
}

// MultimediaAuth sends a MAR (TS 29.228 §6.3).
func (c *Client) MultimediaAuth(ctx context.Context, req *cx.MAR) (*cx.MAA, error) {
	req.ServerName = c.ServerName

	return diameter.Call[cx.MAA](ctx, c.Node, req)
}

// ServerAssignment sends a SAR (TS 29.228 §6.1.2).
func (c *Client) ServerAssignment(ctx context.Context, req *cx.SAR) (*cx.SAA, error) {
	req.ServerName = c.ServerName

	if c.SharedSets {
		req.SupportedFeatures = []cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: sharedIFCSets}}
	}

	return diameter.Call[cx.SAA](ctx, c.Node, req)
}

// Registrations is what the HSS can change by itself.
type Registrations interface {
	RegistrationTermination(ctx context.Context, req *cx.RTR) (*cx.RTA, error)
	PushProfile(ctx context.Context, req *cx.PPR) (*cx.PPA, error)
}

// Serve answers RTR (TS 29.228 §6.1.3) and PPR (§6.2). It is called before the node runs.
func Serve(node *diameter.Node, r Registrations) {
	diameter.Handle(node, r.RegistrationTermination)
	diameter.Handle(node, r.PushProfile)
}
