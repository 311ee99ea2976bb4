// Package h2 is HTTP/2 for http.Server, made for servers of RPC: many small
// messages, over few connections, in many streams. net/http's own spends most of
// its time handing each frame from one goroutine to the next and on a system call
// for each flush.
//
// Who owns what:
//
//   - The reader (read.go) is the goroutine that net/http gives a connection to.
//     It takes frames from the socket, and does at once what they ask for.
//   - Handlers run in workers (workers.go). They put their frames into the
//     connection's outbox themselves (outbox.go), under its one lock, and go on.
//   - The writer (writer.go) is one goroutine a connection. It yields once before
//     it takes the outbox, so that one system call carries many answers.
//   - One timer a connection looks after all its timeouts (timers.go).
//
// A handler waits only for the peer: for its flow-control windows (flow.go), and
// while more than 64 KiB wait for the socket. Those who wait have their turn in
// order, 16 KiB each, and sleep until all of theirs is sent.
//
// What a peer can make the server hold or do is bounded everywhere; limits.go has
// the numbers, and attack_test.go attacks each.
//
// STATES.txt beside this file is the states of connections and streams, in words.
//
// The format is RFC 9113's, header compression RFC 7541's; golang.org/x/net's
// Framer and hpack parse and pack them.
package h2
