package store

// Closed is the time, in milliseconds, before which no sample can come in any
// more, however late: history before it stays as it is until it is forgotten. It
// only ever grows. Ask before reading what is to count as closed.
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
	return newest - s.window
}
