// Package store keeps history: every sample as it came in the embedded
// Prometheus TSDB, and beside it buckets of a minute and of an hour, so that a
// year is read as quickly as a day.
//
// # The folder
//
//	lock, holder.json  who has the folder open
//	raw/               the TSDB: every sample, kept for [Options.RawRetention]
//	minute/, hour/     the tiers: per bucket min, max, sum, count and last
//	series.log         the numbers that the tiers give to series
//	mend.log           the hours that a late sample has touched
//
// # How the tiers come about
//
// The tiers are made from raw, never beside it. Once buckets have closed they
// are read from raw in one go and written as one immutable file; whatever is
// younger than the newest file is read from raw by the query. A sample that
// lands in a bucket already written marks its host and hour in mend.log before
// it is written to raw; as long as the mark stands queries read that hour from
// raw, and once the host has been quiet the hour is read again and written
// anew. Of two versions of a bucket the one with more samples holds, so that
// writing a bucket twice, or half, or again after a crash, changes nothing.
//
// # What survives
//
// A kill -9: everything that [Store.Append] has acknowledged. The samples are
// in the write-ahead log in the kernel's hands when Append returns, and the
// tiers are mended from raw where the crash cut a roll-up short.
//
// A power cut or a kernel crash: everything that was acknowledged more than
// [Options.SyncInterval] ago (a second by default), on a disk that honours
// fsync. The TSDB itself fsyncs its log only when a segment of 128 MiB is full;
// the store therefore syncs the open segment on a timer.
//
// A full disk: the store refuses writes with [ErrFull] while there is still a
// little room, so that no log is torn, goes on reading, and takes writes again
// by itself when there is room.
//
// Damage to the disk: a write-ahead log loses what cannot be read of it, which is told
// in the log and counted ([Stats].LogRepairs). Of a tier's file that is lost which is
// damaged, a series or the whole; it is made again from raw as far as raw reaches.
//
// A clock that was ahead: what was stored then stays, and what is measured now is late
// beside it. It is taken all the same, however far ahead the clock was. A clock that
// jumps ahead while the store is open is believed after an hour: until then nothing
// expires, and the tiers are left as they are.
package store
