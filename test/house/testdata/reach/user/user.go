// Command user is a program.
package main

import (
	"fmt"

	"github.com/dialtone-ims/dialtone/test/house/testdata/reach/lib"
)

func main() { fmt.Println(lib.New().Named()) }
