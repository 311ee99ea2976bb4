package transport

import (
	"context"
	"net/http"
)

// Gate bounds what callers may send to be read and parsed before it is known what
// is called. Its errors are for callers to read.
type Gate interface {
	// Admit lets a body be read and parsed. Call parsed, once, with its length when
	// that is over.
	Admit(w http.ResponseWriter, r *http.Request) (parsed func(bytes int) error, err error)
	// Count counts what is asked for in it and is no call.
	Count(ctx context.Context) error
}

// Open is a gate that everyone may pass.
type Open struct{}

// Admit lets every body in.
func (Open) Admit(http.ResponseWriter, *http.Request) (func(int) error, error) {
	return func(int) error { return nil }, nil
}

// Count counts nothing.
func (Open) Count(context.Context) error { return nil }
