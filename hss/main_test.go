package main

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// The command line is tested as typed, against an HSS in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hss": main})
}

func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			admin, err := free()
			if err != nil {
				return err
			}

			diameter, err := free()
			if err != nil {
				return err
			}

			env.Setenv("DIALTONE_HSS_ADMIN_ADDRESS", admin)
			env.Setenv("DIALTONE_HSS_DIAMETER_LISTEN", fmt.Sprintf("[{address: %q}]", diameter))
			env.Setenv(httpapi.TokenVariable, env.WorkDir+"/home/admin.token")
			env.Setenv("DIALTONE_HSS_DATA", env.WorkDir+"/data")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // under -race every process would rest a second before it ends

			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ready": ready},
	})
}

// free returns an address that nobody listens on.
func free() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()

	return listener.Addr().String(), nil
}

// ready waits until the HSS of the script answers.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	deadline := time.Now().Add(20 * time.Second)

	for {
		response, err := http.Get("http://" + ts.Getenv("DIALTONE_HSS_ADMIN_ADDRESS") + "/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}

		if time.Now().After(deadline) {
			ts.Fatalf("the HSS is not ready: %v", err)
		}

		wait := time.NewTimer(20 * time.Millisecond)
		<-wait.C
	}
}
