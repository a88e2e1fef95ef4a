// Package ipsec tests IPsec between handset and P-CSCF (TS 33.203) on a kernel that has ESP: the five functions as they are
// built and run, handsets in a network namespace of their own, and what passes between the two.
//
// Its tests have the build tag esp; `make esp` runs them.
package ipsec
