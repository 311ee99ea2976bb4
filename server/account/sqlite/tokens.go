package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/vitals-rpc/vitals/server/account"
)

func loadTokens(ctx context.Context, tx *sql.Tx) (tokens []account.Token, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, kind, name, hash, role, coalesce(user_id, 0), hostname, host_id,
		created, created_by, expires, last_used, uses, max_uses FROM tokens ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		t, err := scanToken(rows)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
	}
	return tokens, rows.Err()
}

func scanToken(rows *sql.Rows) (t account.Token, err error) {
	var hash []byte
	var created, expires, lastUsed int64
	err = rows.Scan(&t.ID, &t.Kind, &t.Name, &hash, &t.Role, &t.User, &t.Hostname, &t.HostID,
		&created, &t.CreatedBy, &expires, &lastUsed, &t.Uses, &t.MaxUses)
	if err != nil {
		return t, err
	}
	if copy(t.Hash[:], hash) != len(t.Hash) {
		return t, fmt.Errorf("the hash of token %d has %d bytes", t.ID, len(hash))
	}
	t.Created, t.Expires, t.LastUsed = fromMillis(created), fromMillis(expires), fromMillis(lastUsed)
	return t, nil
}

// AddToken implements account.Store.
func (s *Store) AddToken(ctx context.Context, t account.Token, event account.Event) (account.Token, error) {
	err := s.change(ctx, event, func(tx *sql.Tx) error { return addToken(ctx, tx, &t) })
	return t, err
}

func addToken(ctx context.Context, tx *sql.Tx, t *account.Token) error {
	if err := room(ctx, tx, "SELECT count(*) FROM tokens", account.MaxTokens); err != nil {
		return err
	}
	user := sql.NullInt32{Int32: t.User, Valid: t.User != 0}
	res, err := tx.ExecContext(ctx, `INSERT INTO tokens (kind, name, hash, role, user_id, hostname, host_id, created, created_by,
		expires, last_used, uses, max_uses) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.Kind, t.Name, t.Hash[:], t.Role, user, t.Hostname, t.HostID, millis(t.Created), t.CreatedBy,
		millis(t.Expires), millis(t.LastUsed), t.Uses, t.MaxUses)
	if isForeignKey(err) {
		return account.ErrNoUser
	}
	if err != nil {
		return err
	}
	t.ID, err = res.LastInsertId()
	return err
}

// Enrol implements account.Store.
func (s *Store) Enrol(ctx context.Context, enrolment int64, t account.Token, event account.Event) (account.Token, error) {
	err := s.change(ctx, event, func(tx *sql.Tx) error {
		if err := countUse(ctx, tx, enrolment, t); err != nil {
			return err
		}
		var other int
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM tokens WHERE kind = ? AND hostname = ? AND host_id <> ? AND (expires = 0 OR expires > ?)",
			account.AgentToken, t.Hostname, t.HostID, millis(t.Created)).Scan(&other)
		if err != nil {
			return err
		}
		if other > 0 {
			return account.HostTaken(t.Hostname)
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM tokens WHERE kind = ? AND hostname = ?", account.AgentToken, t.Hostname); err != nil {
			return err
		}
		return addToken(ctx, tx, &t)
	})
	return t, err
}

// countUse takes one of an enrolment token's uses for an agent's, unless it was
// taken for one that the agent never came with.
func countUse(ctx context.Context, tx *sql.Tx, id int64, agents account.Token) error {
	var uses, most, unused int
	err := tx.QueryRowContext(ctx, `SELECT uses, max_uses, (SELECT count(*) FROM tokens
		WHERE kind = ? AND hostname = ? AND host_id = ? AND created_by = ? AND last_used = 0) FROM tokens WHERE id = ?`,
		account.AgentToken, agents.Hostname, agents.HostID, agents.CreatedBy, id).Scan(&uses, &most, &unused)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return account.ErrNoToken
	case err != nil:
		return err
	case unused > 0:
		return nil
	case most > 0 && uses >= most:
		return account.ErrUsedUp
	}
	_, err = tx.ExecContext(ctx, "UPDATE tokens SET uses = uses + 1 WHERE id = ?", id)
	return err
}

// Rotate implements account.Store.
func (s *Store) Rotate(ctx context.Context, id int64, hash account.Hash, event account.Event) error {
	return s.change(ctx, event, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE tokens SET hash = ? WHERE id = ?", hash[:], id)
		return one(res, err, account.ErrNoToken)
	})
}

// DeleteTokens implements account.Store.
func (s *Store) DeleteTokens(ctx context.Context, ids []int64, event account.Event) error {
	return s.change(ctx, event, func(tx *sql.Tx) error {
		var deleted int64
		for _, id := range ids {
			res, err := tx.ExecContext(ctx, "DELETE FROM tokens WHERE id = ?", id)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			deleted += n
		}
		if deleted == 0 {
			return account.ErrNoToken
		}
		return nil
	})
}

// Touch implements account.Store.
func (s *Store) Touch(ctx context.Context, used map[int64]time.Time) error {
	return s.change(ctx, account.Event{}, func(tx *sql.Tx) error {
		for id, at := range used {
			if _, err := tx.ExecContext(ctx, "UPDATE tokens SET last_used = ? WHERE id = ? AND last_used < ?", millis(at), id, millis(at)); err != nil {
				return err
			}
		}
		return nil
	})
}
