//go:build !linux && !windows

package collect

// rootPath is the file system that the metric disk measures.
const rootPath = "/"
