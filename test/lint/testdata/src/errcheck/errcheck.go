package errcheck

import (
	"fmt"
	"os"
)

func careless(file *os.File) {
	os.Chdir("/") // want `the error of os.Chdir is not looked at`
	fmt.Println()
	defer file.Close()
	_ = os.Chdir("/")
}
