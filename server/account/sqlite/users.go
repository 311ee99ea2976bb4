package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/vitals-rpc/vitals/server/account"
)

// Load implements account.Store.
func (s *Store) Load(ctx context.Context) (content account.Content, err error) {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return content, err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was changed
	if content.Users, err = loadUsers(ctx, tx); err != nil {
		return content, err
	}
	content.Tokens, err = loadTokens(ctx, tx)
	return content, err
}

func loadUsers(ctx context.Context, tx *sql.Tx) (users []account.User, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT id, name, email, role, password, created FROM users ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var u account.User
		var created int64
		if err := rows.Scan(&u.ID, &u.Name, &u.Email, &u.Role, &u.Password, &created); err != nil {
			return nil, err
		}
		u.Created = fromMillis(created)
		users = append(users, u)
	}
	return users, rows.Err()
}

// AddUser implements account.Store.
func (s *Store) AddUser(ctx context.Context, u account.User, event account.Event) (account.User, error) {
	err := s.change(ctx, event, func(tx *sql.Tx) error {
		if err := room(ctx, tx, "SELECT count(*) FROM users", account.MaxUsers); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, "INSERT INTO users (name, email, role, password, created) VALUES (?, ?, ?, ?, ?)",
			u.Name, u.Email, u.Role, u.Password, millis(u.Created))
		if isUnique(err) {
			return account.ErrExists
		}
		if err != nil {
			return err
		}
		id, err := res.LastInsertId()
		u.ID = int32(id) //nolint:gosec // there are never so many
		return err
	})
	return u, err
}

// room refuses what would be one too many.
func room(ctx context.Context, tx *sql.Tx, count string, limit int) error {
	var n int
	if err := tx.QueryRowContext(ctx, count).Scan(&n); err != nil {
		return err
	}
	if n >= limit {
		return account.ErrFull
	}
	return nil
}

// SetRole implements account.Store.
func (s *Store) SetRole(ctx context.Context, id int32, role account.Role, event account.Event) error {
	return s.change(ctx, event, func(tx *sql.Tx) error {
		return keepAdmin(ctx, tx, func() error {
			res, err := tx.ExecContext(ctx, "UPDATE users SET role = ? WHERE id = ?", role, id)
			return one(res, err, account.ErrNoUser)
		})
	})
}

// SetPassword implements account.Store.
func (s *Store) SetPassword(ctx context.Context, id int32, hash string, event account.Event) error {
	return s.change(ctx, event, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE users SET password = ? WHERE id = ?", hash, id)
		return one(res, err, account.ErrNoUser)
	})
}

// DeleteUser implements account.Store.
func (s *Store) DeleteUser(ctx context.Context, id int32, event account.Event) error {
	return s.change(ctx, event, func(tx *sql.Tx) error {
		return keepAdmin(ctx, tx, func() error {
			res, err := tx.ExecContext(ctx, "DELETE FROM users WHERE id = ?", id)
			return one(res, err, account.ErrNoUser)
		})
	})
}

// keepAdmin refuses a change that leaves no admin where there was one.
func keepAdmin(ctx context.Context, tx *sql.Tx, do func() error) error {
	before, err := admins(ctx, tx)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	after, err := admins(ctx, tx)
	if err == nil && before > 0 && after == 0 {
		return account.ErrLastAdmin
	}
	return err
}

func admins(ctx context.Context, tx *sql.Tx) (n int, err error) {
	err = tx.QueryRowContext(ctx, "SELECT count(*) FROM users WHERE role = ?", account.Admin).Scan(&n)
	return n, err
}

// one makes sure that a row was there to be changed.
func one(res sql.Result, err, missing error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return missing
	}
	return err
}
