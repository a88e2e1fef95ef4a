package ere_test

import (
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/ere"
)

func ExampleCompile() {
	expression, err := ere.Compile("^[[:digit:]]{3}$")
	if err != nil {
		panic(err)
	}

	fmt.Println(expression.MatchString("911"), expression.MatchString("15550001"))
	// Output: true false
}

func ExampleParseWildcard() {
	rooms, err := ere.ParseWildcard("sip:chat-!.*!@example.org")
	if err != nil {
		panic(err)
	}

	fmt.Println(rooms.Matches("sip:chat-12@example.org"), rooms.Matches("sip:alice@example.org"))
	// Output: true false
}
