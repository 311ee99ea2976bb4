package store

import (
	"errors"
	"fmt"
	"time"
)

// Errors that Append refuses a point or a batch with; test with errors.Is.
var (
	// ErrClosed is returned by every call on a store that has been closed.
	ErrClosed = errors.New("the store is closed")
	// ErrFull refuses a batch because the disk is full. Nothing of it was
	// stored; the same batch may be sent again later.
	ErrFull = errors.New("the disk that holds the history is full")
	// ErrUnavailable refuses a batch, and sometimes a read, while the store
	// recovers from a failed write or from a clock that was wrong; try again in a
	// moment.
	ErrUnavailable = errors.New("the store is recovering")
	// ErrTooOld refuses a point that is further behind the newest sample than
	// the out-of-order window.
	ErrTooOld = errors.New("the sample is older than the out-of-order window")
	// ErrConflict refuses a point because another value is stored for that time.
	ErrConflict = errors.New("another value is stored for this series at this time")
)

// LockedError says that another process has the data folder open.
type LockedError struct {
	Dir string
	// Holder is what the other process wrote about itself; its fields are zero
	// if that cannot be read.
	Holder Holder
}

// Holder is the process that has a data folder open.
type Holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

func (e *LockedError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("the data folder %s is in use by another process; stop it or choose another folder", e.Dir)
	}
	return fmt.Sprintf("the data folder %s is in use by process %d on %s since %s; stop it or choose another folder",
		e.Dir, e.Holder.PID, e.Holder.Host, e.Holder.Since.Format(time.RFC3339))
}

// QueryLimitError says that a query touched more than it may.
type QueryLimitError struct {
	// What is counted: "series" or "samples".
	What  string
	Limit int
}

func (e *QueryLimitError) Error() string {
	return fmt.Sprintf("the query touches more than %d %s; narrow its selector (a host, a label) or its time range", e.Limit, e.What)
}

// ReadError says that history could not be read, which is not the query's fault.
type ReadError struct {
	Err error
}

func (e *ReadError) Error() string { return "the history cannot be read: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }
