package aka_test

import (
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/aka"
)

// A network and a SIM that share K and OPc find the same answer to a challenge (TS 33.102 §6.3).
func Example() {
	k, opc := [16]byte{1}, [16]byte{2}

	vector := aka.Generate(aka.NewMilenage(k, opc), [16]byte{3}, 32, [2]byte{0x80, 0})
	sim := aka.NewSIM(aka.NewMilenage(k, opc), aka.DefaultScheme())

	result, err := sim.Authenticate(vector.RAND, vector.AUTN)
	fmt.Println(err, string(result.RES) == string(vector.XRES), result.CK == vector.CK)
	// Output: <nil> true true
}
