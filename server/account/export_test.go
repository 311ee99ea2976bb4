package account

// TakeSlots takes all in which passwords are hashed, until release.
func (d *Directory) TakeSlots() (release func()) {
	for range passwordSlots {
		d.hashing <- struct{}{}
	}
	return func() {
		for range passwordSlots {
			<-d.hashing
		}
	}
}
