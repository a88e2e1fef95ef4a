// Package nbsf has the data of Nbsf_Management (TS 29.521 §5), the BSF's service, as far as IMS uses it.
package nbsf

import "github.com/dialtone-ims/dialtone/pkg/sbi"

// Service is the service, Bindings the path of its bindings below the root of the API (TS 29.521 §5.1, §5.3.2).
const (
	Service  = "nbsf-management"
	Bindings = "/" + Service + "/v1/pcfBindings"
)

// PcfBinding says which PCF has the session of a UE (TS 29.521 §5.6.2.2).
type PcfBinding struct {
	IPv4      string           `json:"ipv4Addr,omitempty"`
	IPv6      string           `json:"ipv6Prefix,omitempty"`
	DNN       string           `json:"dnn,omitempty"`
	FQDN      string           `json:"pcfFqdn,omitempty"`
	EndPoints []sbi.IPEndPoint `json:"pcfIpEndPoints,omitempty"` // of Npcf_PolicyAuthorization
	DiamHost  string           `json:"pcfDiamHost,omitempty"`    // of Rx
	DiamRealm string           `json:"pcfDiamRealm,omitempty"`
	ID        string           `json:"pcfId,omitempty"`
}
