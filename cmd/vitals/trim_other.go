//go:build !linux

package main

// trimProgram does nothing where the system has no way to it.
func trimProgram() error { return nil }
