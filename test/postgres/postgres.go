// Package postgres starts PostgreSQL for tests and benchmarks: one server for each process, in a folder of its own, as an unprivileged
// user, on a socket that nobody else sees.
package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that asks whether the server is there

	"github.com/dialtone-ims/dialtone/pkg/child"
)

// Database returns the DSN of an empty database. The first call starts the server; TestMain ends it with Stop.
func Database(t testing.TB) string {
	t.Helper()

	dsn, err := Start(careless...)
	if err != nil {
		t.Fatalf("PostgreSQL for the test (apt-get install postgresql): %v", err)
	}

	return dsn
}

// careless are the settings of tests: a machine that goes down takes the test along.
var careless = []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off"}

// Start returns the DSN of an empty database. The first call starts the server, with these settings of its; Stop ends it.
func Start(settings ...string) (dsn string, err error) {
	server, err := start(settings)
	if err != nil {
		return "", err
	}

	name := "test_" + strings.ToLower(rand.Text())
	if err := server.execute(context.Background(), "CREATE DATABASE "+name); err != nil {
		return "", err
	}

	return server.dsn(name), nil
}

// Size returns how many octets a database has on the disk, 0 if it does not answer.
func Size(dsn string) (octets float64) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return 0
	}
	defer db.Close()

	if db.QueryRow("SELECT pg_database_size(current_database())").Scan(&octets) != nil {
		return 0
	}

	return octets
}

// Stop ends the server, if there is one, and removes its folder.
func Stop() {
	running.Lock()
	defer running.Unlock()

	if running.server != nil {
		running.server.stop()
		running.server = nil
	}
}

var running struct {
	sync.Mutex
	server *server
}

type server struct {
	folder  string
	command *exec.Cmd
	ended   chan struct{}
}

const patience = 60 * time.Second // for a server on a busy machine

func start(settings []string) (*server, error) {
	running.Lock()
	defer running.Unlock()

	if running.server != nil {
		return running.server, nil
	}

	programs, err := programs()
	if err != nil {
		return nil, err
	}

	folder, err := os.MkdirTemp("", "dialtone-postgres")
	if err != nil {
		return nil, err
	}

	s := &server{folder: folder, ended: make(chan struct{})}
	if err := s.run(programs, settings); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}

	running.server = s

	return s, nil
}

// programs returns the folder of initdb and postgres; Debian keeps them out of the way.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}

	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // fails only for bad patterns
	if len(found) == 0 {
		return "", errors.New("initdb is not on this machine")
	}

	return filepath.Dir(slices.Max(found)), nil
}

func (s *server) run(programs string, settings []string) error {
	attributes := &syscall.SysProcAttr{}

	if os.Geteuid() == 0 { // which PostgreSQL refuses to run as
		credential, err := unprivileged()
		if err != nil {
			return err
		}

		attributes.Credential = credential

		if err := os.Chown(s.folder, int(credential.Uid), int(credential.Gid)); err != nil {
			return err
		}
	}

	data := filepath.Join(s.folder, "data")

	initialise := exec.Command(
		filepath.Join(programs, "initdb"),
		"-D",
		data,
		"-U",
		"dialtone",
		"-A",
		"trust",
		"-E",
		"UTF8",
		"--locale=C",
		"--no-sync",
	)
	initialise.Dir, initialise.SysProcAttr = s.folder, attributes
	child.Bind(initialise, syscall.SIGQUIT)

	if out, err := initialise.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}

	s.command = exec.Command(
		filepath.Join(programs, "postgres"),
		"-D",
		data,
		"-k",
		s.folder,
		"-c",
		"listen_addresses=",
		"-c",
		"max_connections=100",
	)
	for _, setting := range settings {
		s.command.Args = append(s.command.Args, "-c", setting)
	}

	s.command.Dir, s.command.SysProcAttr = s.folder, attributes
	child.Bind(s.command, syscall.SIGQUIT)

	log, err := os.Create(filepath.Join(s.folder, "log"))
	if err != nil {
		return err
	}
	defer log.Close()

	s.command.Stdout, s.command.Stderr = log, log

	if err := s.command.Start(); err != nil {
		return err
	}

	go func() {
		_ = s.command.Wait()
		close(s.ended)
	}()

	if err := s.await(); err != nil {
		s.kill()
		text, _ := os.ReadFile(log.Name())

		return fmt.Errorf("%w\n%s", err, text)
	}

	return nil
}

func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		who, err := user.Lookup(name)
		if err != nil {
			continue
		}

		uid, uidErr := strconv.ParseUint(who.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(who.Gid, 10, 32)

		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uidErr, gidErr)
	}

	return nil, errors.New("there is no user postgres or nobody")
}

func (s *server) dsn(database string) string {
	return "postgres://dialtone@/" + database + "?host=" + url.QueryEscape(s.folder)
}

func (s *server) execute(ctx context.Context, statement string) error {
	db, err := sql.Open("pgx", s.dsn("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()

	_, err = db.ExecContext(ctx, statement)

	return err
}

func (s *server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()

	for {
		err := s.execute(ctx, "SELECT 1")
		if err == nil {
			return nil
		}

		select {
		case <-s.ended:
			return errors.New("the server ended at once")
		case <-ctx.Done():
			return fmt.Errorf("not ready within %v: %w", patience, err)
		case <-tick.C:
		}
	}
}

// stop ends the server's connections and the server ("fast shutdown"), by the id of its process.
func (s *server) stop() {
	_ = s.command.Process.Signal(syscall.SIGINT) // it may have ended

	select {
	case <-s.ended:
	case <-time.After(patience):
		s.kill()
	}

	_ = os.RemoveAll(s.folder) // below the system's temporary folder
}

func (s *server) kill() {
	_ = s.command.Process.Signal(syscall.SIGQUIT) // with its children, which SIGKILL would leave behind
	<-s.ended
}
