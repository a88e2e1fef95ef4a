// Package nnrf has the data of Nnrf_NFDiscovery and Nnrf_AccessToken (TS 29.510 §6.2, §6.3), the NRF's services, as far as IMS uses them.
package nnrf

import "github.com/dialtone-ims/dialtone/pkg/sbi"

// Instances is the path of the network functions below the root of the API (TS 29.510 §6.2.3.2); Token is that of access tokens (§6.3.3.2).
const (
	Instances = "/nnrf-disc/v1/nf-instances"
	Token     = "/oauth2/token"
)

// Form is the media type of a request for a token (TS 29.510 §6.3.5.2.2).
const Form = "application/x-www-form-urlencoded"

// SearchResult lists the network functions that a search found (TS 29.510 §6.2.6.2.2).
type SearchResult struct {
	ValidityPeriod int         `json:"validityPeriod"` // seconds
	Instances      []NFProfile `json:"nfInstances"`
}

// Registered is the status of a network function, and of a service, that takes requests (TS 29.510 §6.1.6.3.7, §6.1.6.3.6).
const Registered = "REGISTERED"

// NFProfile is a network function (TS 29.510 §6.2.6.2.3).
type NFProfile struct {
	ID            string               `json:"nfInstanceId"`
	Type          sbi.NFType           `json:"nfType"`
	Status        string               `json:"nfStatus"`
	FQDN          string               `json:"fqdn,omitempty"`
	IPv4Addresses []string             `json:"ipv4Addresses,omitempty"`
	IPv6Addresses []string             `json:"ipv6Addresses,omitempty"`
	Priority      *int                 `json:"priority,omitempty"` // the lowest comes first
	Capacity      *int                 `json:"capacity,omitempty"` // relative to others of the same priority
	Services      []NFService          `json:"nfServices,omitempty"`
	ServiceList   map[string]NFService `json:"nfServiceList,omitempty"` // in place of nfServices, from release 16
}

// NFService is a service of a network function (TS 29.510 §6.2.6.2.4).
type NFService struct {
	ID        string             `json:"serviceInstanceId"`
	Name      string             `json:"serviceName"`
	Versions  []NFServiceVersion `json:"versions,omitempty"`
	Scheme    string             `json:"scheme"`
	Status    string             `json:"nfServiceStatus"`
	FQDN      string             `json:"fqdn,omitempty"`
	EndPoints []sbi.IPEndPoint   `json:"ipEndPoints,omitempty"`
	Prefix    string             `json:"apiPrefix,omitempty"`
	Priority  *int               `json:"priority,omitempty"`
	Capacity  *int               `json:"capacity,omitempty"`
}

// NFServiceVersion is a version of the API (TS 29.510 §6.1.6.2.4).
type NFServiceVersion struct {
	InURI string `json:"apiVersionInUri"`
	Full  string `json:"apiFullVersion,omitempty"`
}

// AccessTokenRsp is an access token (TS 29.510 §6.3.5.2.3).
type AccessTokenRsp struct {
	Token     string `json:"access_token"`
	Type      string `json:"token_type"`
	ExpiresIn *int   `json:"expires_in,omitempty"` // seconds
	Scope     string `json:"scope,omitempty"`
}
