//go:build !linux

package collect

// orUnsupported turns gopsutil's word for what it cannot do on this system,
// an error value in a package that is internal to it, into errors.ErrUnsupported.
func orUnsupported(err error) error {
	if err.Error() == "not implemented yet" {
		return unsupported("this system")
	}
	return err
}
