package config

import "os"

// HomeVariable is the environment variable with the home network domain, for all five functions.
const HomeVariable = "DIALTONE_HOME_DOMAIN"

// Home returns the home network domain from which the defaults of all five functions are derived: names, realms, peers and the domain
// of identities. It is that of the test PLMN 001-01 (TS 23.003 §13.2), unless the environment names another.
func Home() string {
	if home := os.Getenv(HomeVariable); home != "" {
		return home
	}

	return "ims.mnc001.mcc001.3gppnetwork.org"
}
