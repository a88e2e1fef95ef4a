package scenario

import "github.com/dialtone-ims/dialtone/lab/internal/open5gs"

// Open5GS returns the network for a packet core beside it, with the SIMs of the lab's own subscribers.
func (p PLMN) Open5GS() open5gs.Network {
	n := open5gs.Network{MCC: p.mcc, MNC: p.mnc, Domain: p.Domain()}

	for _, who := range []subscriber{alice, bob} {
		n.SIMs = append(n.SIMs, open5gs.SIM{IMSI: p.IMSI(who.number), MSISDN: who.msisdn, K: who.k, OPc: who.opc, AMF: "8000"})
	}

	return n
}
