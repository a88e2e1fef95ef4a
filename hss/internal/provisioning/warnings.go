package provisioning

import (
	"fmt"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// warnings returns what is valid but probably a mistake: the handset will come with other identities, or nobody will dial the number.
func (n NewSubscriber) warnings(domain string) (all []string) {
	if n.IMSI != "" && foreign(n.IMSI, domain) {
		all = append(
			all,
			fmt.Sprintf("IMSI %s is of another network than %s: its handset derives another domain (TS 23.003 §13.2)", n.IMSI, domain),
		)
	}

	if strings.HasPrefix(strings.TrimPrefix(n.MSISDN, "+"), "0") {
		all = append(
			all,
			fmt.Sprintf("MSISDN %s begins with 0: it has the country code first, without 00 or + before it (TS 23.003 §3.3)", n.MSISDN),
		)
	}

	return all
}

// foreign reports whether an IMSI does not belong to the PLMN in the domain's name. It is false for a domain of another form.
func foreign(imsi, domain string) bool {
	if !strings.HasSuffix(domain, ".3gppnetwork.org") || !strings.HasPrefix(domain, "ims.mnc") {
		return false
	}

	for _, length := range []int{2, 3} {
		if own, err := ims.HomeDomain(imsi, length); err == nil && strings.EqualFold(own, domain) {
			return false
		}
	}

	return true
}
