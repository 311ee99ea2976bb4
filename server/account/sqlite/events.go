package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/vitals-rpc/vitals/server/account"
)

// Record implements account.Store.
func (s *Store) Record(ctx context.Context, event account.Event) error {
	return s.change(ctx, event, nil)
}

// record keeps an event and lets the oldest go.
func record(ctx context.Context, tx *sql.Tx, e account.Event) error {
	res, err := tx.ExecContext(ctx, "INSERT INTO events (time, actor, action, target, detail, peer) VALUES (?, ?, ?, ?, ?, ?)",
		millis(e.Time), e.Actor, e.Action, e.Target, e.Detail, e.Peer)
	if err != nil {
		return err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM events WHERE id <= ?", id-account.MaxEvents)
	return err
}

// Events implements account.Store.
func (s *Store) Events(ctx context.Context, limit int, before int64) (events []account.Event, err error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	rows, err := s.db.QueryContext(ctx, "SELECT id, time, actor, action, target, detail, peer FROM events WHERE id < ? ORDER BY id DESC LIMIT ?", before, limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e account.Event
		var at int64
		if err := rows.Scan(&e.ID, &at, &e.Actor, &e.Action, &e.Target, &e.Detail, &e.Peer); err != nil {
			return nil, err
		}
		e.Time = fromMillis(at)
		events = append(events, e)
	}
	return events, rows.Err()
}
