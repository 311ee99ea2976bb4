// Package spool is a durable, bounded, ordered queue of opaque records on disk.
// It stands between what collects on a host and what sends to the server, so
// that a server or a network that is away for hours costs nothing but disk.
//
// # Use
//
// One producer calls [Spool.Append]; each record gets the next [Position], a
// number that only grows. Senders call [Spool.Read] with a position of their
// own and, once the server has stored what they sent, [Spool.Ack] with the range
// that is safe. Ranges may be acknowledged in any order, so a live reader that
// starts at [Spool.End] and a backfill reader that starts at the zero Position
// work side by side.
//
// A record is understood only with the preamble (a dictionary, say) that was in
// force when it was appended: see [Spool.SetPreamble]. Read hands out each
// record with its preamble.
//
// # What survives what
//
// Append and Ack hand their bytes to the operating system before they return.
// When the process dies, even by kill -9, every record whose Append returned is
// there, once and in order, and no acknowledgement is lost. A power cut or a
// kernel crash can cost the records of the last [Options.SyncInterval] and the
// time that the fsync takes; it can also bring back records that were
// acknowledged shortly before. It never brings back a wrong one.
//
// When the budget of bytes or age is exceeded, or the disk is full, the oldest
// segment goes first; [Stats] counts what was not acknowledged in it. Damage on
// disk costs the records that it hits. Where it hits the start of a segment, it
// costs the segment; where it hits a preamble, the records that needed it.
//
// # Files
//
// A folder holds "lock" (locked by the process that has the spool open, with its
// process id as text), "acked" (see below) and segments. A segment is named by
// the position of its first record, in 20 decimal digits, with the suffix
// ".seg". All integers are little-endian; all checksums are CRC-32C (Castagnoli).
//
// A segment starts with a header of 36 bytes:
//
//	 0  6  "vspool"
//	 6  1  version of the format, 1
//	 7  1  zero
//	 8  4  checksum of bytes 0 to 7
//	12  4  salt, random
//	16  8  position of the first record
//	24  8  time of the first record, in milliseconds since the Unix epoch
//	32  4  checksum of bytes 0 to 31
//
// The first twelve bytes stay as they are in every version to come. [Open] refuses
// a folder with a segment of a newer version and touches nothing in it: the
// program that wrote it can still read it, this one cannot. (A damaged version
// byte is told from a newer one by the checksum beside it.)
//
// Frames follow, each with a header of 36 bytes and a body:
//
//	 0  3  marker, c5 f7 9d
//	 3  1  kind: 'R' record, 'P' preamble
//	 4  4  length of the body
//	 8  8  position of the record; of a preamble, that of the record after it
//	16  8  time of the record; of a preamble, zero
//	24  4  checksum of the preamble that the record needs (without salt); of a
//	       preamble, its own
//	28  4  checksum of the body, begun with the salt
//	32  4  checksum of bytes 0 to 31, begun with the salt
//
// A preamble is in force until the next one; at a segment's start the empty one
// is. So every segment can be read with nothing but itself. Header and body have
// checksums of their own, so that a damaged body is stepped over exactly; after a
// damaged header the reader looks for the next marker with a good header. The
// salt makes sure that no body can pass for a frame there.
//
// "acked" holds two slots of 4096 bytes, written in turn and in place, so that an
// acknowledgement needs no room on a full disk. The good slot with the higher
// generation counts:
//
//	 0  6  "vacked"
//	 6  1  version, 1
//	 7  1  zero
//	 8  8  generation
//	16  4  number of ranges, at most 254
//	20  4  zero
//	24  -  the ranges, each two positions of 8 bytes: first, and one past the last
//	4092 4 checksum of bytes 0 to 4091
//
// Ranges that do not fit are left out, which costs a second delivery.
package spool
