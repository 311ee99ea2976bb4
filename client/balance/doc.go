// Package balance spreads RPCs over several servers. A [Balancer] is a
// connect.Transport: each call is sent to one of the servers that are well, by a
// [Policy]; a server that fails is left out and tried again, and its name is looked
// up again where it came from DNS.
//
// The package knows nothing of Vitals' services but for grpc.health.v1, and does
// not repeat calls: that is for who knows which calls may be repeated. What such a
// one needs is here too: [Avoid] keeps the next try away from where the last one
// failed, [Stay] keeps calls together, and [NothingSent] tells whether a call that
// failed can have had effects.
package balance
