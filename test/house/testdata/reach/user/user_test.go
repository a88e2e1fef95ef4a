package main

import (
	"testing"

	"github.com/dialtone-ims/dialtone/test/house/testdata/reach/lib"
)

func Test(*testing.T) {
	lib.Tested()
	lib.Inward()
}
