package config

import "testing"

func TestHome(t *testing.T) {
	t.Setenv(HomeVariable, "")

	if got := Home(); got != "ims.mnc001.mcc001.3gppnetwork.org" {
		t.Errorf("without a word of it the home network is %s", got)
	}

	t.Setenv(HomeVariable, "ims.mnc070.mcc999.3gppnetwork.org")

	if got := Home(); got != "ims.mnc070.mcc999.3gppnetwork.org" {
		t.Errorf("the home network is %s", got)
	}
}
