package depguard

import (
	"io"
	"io/ioutil" // want `io and os have what it had`
	"math/rand/v2"
)

var _, _, _ = io.Discard, ioutil.Discard, rand.Int()
