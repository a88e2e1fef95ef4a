package config

import "os"

// HomeVariable is the environment variable that says whose network this is, to all five functions alike.
const HomeVariable = "DIALTONE_HOME_DOMAIN"

// Home returns the home network domain that the defaults of all five functions are made of: their names, their realms, their peers
// and what they expect in identities. It is that of the PLMN for tests, 001-01 (TS 23.003 §13.2), unless the environment names
// another.
func Home() string {
	if home := os.Getenv(HomeVariable); home != "" {
		return home
	}

	return "ims.mnc001.mcc001.3gppnetwork.org"
}
