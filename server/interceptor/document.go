package interceptor

import (
	"context"
	"net/http"
)

// Admit lets a body be read and parsed in which calls are by name, before it is
// known which: it counts as the first of them, and is unpacked and parsed in a turn
// at work. Call parsed, once, with its length when that is over; calls have turns of
// their own.
//
// Errors, of parsed too: what Told makes of a *admission.RefusedError; Retry-After
// is set then.
func (a *Admission) Admit(w http.ResponseWriter, r *http.Request) (parsed func(bytes int) error, err error) {
	ctx := r.Context()
	t := &turn{ctx: ctx, caller: a.caller(ctx)}
	if err := a.arrive(ctx, t.caller); err != nil {
		return nil, a.tell(w, err)
	}
	req := requestFrom(ctx)
	if req != nil {
		req.arrived = true
		if t.caller.HasBounds() {
			req.turn = t
		}
	}
	return func(bytes int) error {
		if req != nil {
			req.turn = nil
		}
		t.leave()
		if t.refusal != nil {
			return a.tell(w, t.refusal)
		}
		if err := a.send(ctx, t.caller, bytes); err != nil {
			return a.tell(w, err)
		}
		return nil
	}, nil
}

// Count counts what is asked for in such a body and is answered without a call, as
// a call is. Errors: those of Admit.
func (a *Admission) Count(ctx context.Context) error {
	if requestFrom(ctx).spendArrival() {
		return nil
	}
	return a.told(a.arrive(ctx, a.caller(ctx)))
}

func (a *Admission) told(err error) error {
	if err == nil || a.Told == nil {
		return err
	}
	return a.Told(err)
}

// tell is told, with the header that says when to come back.
func (a *Admission) tell(w http.ResponseWriter, err error) error {
	sayRetry(w, err)
	return a.told(err)
}
