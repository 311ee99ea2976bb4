package store

// Closed is the time, in milliseconds, before which no sample can come in any
// more, however late: history before it stays as it is until it is forgotten. It
// only ever grows, as the clock does. Ask before reading what is to count as closed.
func (s *Store) Closed() int64 {
	db, err := s.raw.acquire()
	if err != nil {
		return minTime
	}
	defer s.raw.release()
	newest := db.Head().MaxTime()
	if newest == minTime {
		return minTime
	}
	return min(newest, s.clock()) - s.window
}
