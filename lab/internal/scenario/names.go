package scenario

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/dialtone-ims/dialtone/lab/internal/names"
	"github.com/dialtone-ims/dialtone/lab/internal/zone"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

const sipPort = 5060

// Names returns the names of a place: the domain leads to the I-CSCF, for other networks and application servers, and handsets find the
// P-CSCF by its own name.
func (p Place) Names(network PLMN, server ...netip.Addr) zone.Plan {
	pcscf := []netip.Addr{p.PCSCF}
	if len(p.Real) > 0 {
		pcscf = p.Real
	}

	at := func(text string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(text)} }

	plan := zone.Plan{
		Domain: network.Domain(), Server: server,
		Services: []zone.Service{
			{Name: "icscf", Addresses: at("127.0.0.11"), Port: sipPort, Apex: true},
			{Name: "pcscf", Addresses: pcscf, Port: gmPort},
			{Name: "scscf", Addresses: at("127.0.0.12"), Port: sipPort},
		},
		Hosts: []zone.Host{
			{Name: "hss." + network.Domain(), Addresses: at("127.0.0.13")},
			{Name: "ocs." + network.Domain(), Addresses: at("127.0.0.14")},
			{Name: "hss." + network.realm(), Addresses: at("127.0.0.13")},
		},
	}

	if p.Bearers == Rx {
		plan.Hosts = append(plan.Hosts, zone.Host{Name: "pcrf." + network.realm(), Addresses: []netip.Addr{addressOfPCRF.Addr()}})
	}

	return plan
}

// namesEnvironment returns the environment that makes a function use the name server. P-CSCF and I-CSCF know no address without it; the
// S-CSCF keeps those by which it distinguishes the core from users' targets, and resolves numbers by ENUM.
func (p Place) namesEnvironment(function string) []string {
	if len(p.Nameservers) == 0 || !strings.HasSuffix(function, "cscf") {
		return nil
	}

	var servers []string
	for _, server := range p.Nameservers {
		servers = append(servers, fmt.Sprintf("%q", server))
	}

	prefix := "DIALTONE_" + strings.ToUpper(function)
	environment := []string{prefix + "_SIP_RESOLVER_SERVERS=[" + strings.Join(servers, ", ") + "]"}

	if function == "scscf" {
		return append(environment, prefix+"_ENUM_APEX=e164.arpa")
	}

	return append(environment, prefix+"_SIP_RESOLVER_HOSTS={}")
}

// Numbers returns the reader of the numbers of the lab's subscribers.
func Numbers() names.Read { return names.Subscribers(httpapi.Local(AdminOfHSS)) }
