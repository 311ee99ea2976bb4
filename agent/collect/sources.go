package collect

// newSources makes every source. The processors come first, as they say how
// many cores the others share.
func newSources(sys system, host hostSeries, opts Options) []source {
	return []source{
		newCPUSource(sys, host),
		newMemorySource(sys, host),
		newDiskSource(sys, host),
		newLoadSource(sys, host),
		newPressureSource(sys, host),
		newDiskSpaceSource(sys, host, opts.Logger),
		newDiskIOSource(sys, host),
		newNetworkSource(sys, host),
		newProcessSource(sys, host, opts.TopProcesses),
		newTemperatureSource(sys, host),
		newUptimeSource(host),
		newSelfSource(sys, host),
	}
}
