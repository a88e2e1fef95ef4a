package ipsec

import (
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/ipsec"
)

var options = ipsec.Options{Role: ipsec.PCSCF, Tag: tag}

// openKernel returns the Opener of a running P-CSCF.
func openKernel(wanted []ipsec.Suite) (Kernel, []ipsec.Suite, error) {
	support := ipsec.Probe(options)
	if support.Missing != nil {
		return nil, nil, support.Missing
	}

	k, err := ipsec.Open(options)
	if err != nil {
		return nil, nil, err
	}

	return k, slices.DeleteFunc(slices.Clone(wanted), func(s ipsec.Suite) bool { return !support.Has(s) }), nil
}
