// Package sqlite keeps accounts in one SQLite file, made by the pure Go port of
// SQLite, so that a server needs nothing beside itself.
//
// What has returned is on disk: the file is in WAL mode with synchronous=FULL, so
// that a commit outlives kill -9 and, on a disk that honours fsync, a power cut.
// Several processes may have the file open at once, as `vitals user add` beside a
// running server does.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // also registers the driver
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/vitals-rpc/vitals/server/account"
)

// FileName is the file in the data folder.
const FileName = "accounts.db"

// busyTimeout is how long a change waits for one of another process.
const busyTimeout = 5 * time.Second

//go:embed migrations/*.sql
var migrations embed.FS

// Store implements account.Store.
type Store struct {
	// db has one connection: changes are rare, reads of everything too, and
	// data_version counts what other connections do.
	db *sql.DB
}

var _ account.Store = (*Store)(nil)

// Open opens the accounts in a data folder, which it makes where there is none,
// and brings an older file up to date. A file of a later version is refused.
func Open(ctx context.Context, dir string) (*Store, error) {
	path := filepath.Join(dir, FileName)
	if err := create(dir, path); err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	db, err := sql.Open("sqlite", dataSource(path))
	if err != nil {
		return nil, fmt.Errorf("accounts in %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	db.SetConnMaxIdleTime(0)
	if err := migrate(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("accounts in %s: %w", path, err), db.Close())
	}
	return &Store{db: db}, nil
}

// dataSource says how SQLite is to treat the file. A transaction takes the lock
// for writing at its start, so that two of them never deadlock.
func dataSource(path string) string {
	query := url.Values{
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
			"journal_mode(WAL)",
			"synchronous(FULL)",
			"foreign_keys(ON)",
			"trusted_schema(OFF)",
		},
		"_txlock": {"immediate"},
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: query.Encode()}).String()
}

// create makes the file, readable by its owner alone; SQLite gives its journals
// the same mode. Root makes it for the folder's owner, who the server runs as.
func create(dir, path string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the folder
	if errors.Is(err, fs.ErrExist) {
		return os.Chmod(path, 0o600)
	}
	if err != nil {
		return err
	}
	return errors.Join(giveToOwnerOf(dir, path), f.Close())
}

func migrate(ctx context.Context, db *sql.DB) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, folder, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	current, latest, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	switch {
	case current > latest:
		return fmt.Errorf("they are of version %d, and this program knows versions up to %d: use the newer vitals that wrote them", current, latest)
	case current == latest:
		return nil
	}
	_, err = provider.Up(ctx)
	return err
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// Version tells changes of other processes.
func (s *Store) Version(ctx context.Context) (version int64, err error) {
	err = s.db.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version)
	return version, err
}

// change runs a change and its event in one transaction.
func (s *Store) change(ctx context.Context, event account.Event, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if do != nil {
		if err := do(tx); err != nil {
			return err
		}
	}
	if event.Action != "" {
		if err := record(ctx, tx, event); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// isUnique reports whether err is of a value that has to be unique.
func isUnique(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}

func isForeignKey(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
