package metric

// catalog holds every built-in type once, in the order in which people read
// them. All are gauges: the collector turns the kernel's counters into rates,
// so that a reset never shows as an absurd value.
var catalog = []Type{
	{Name: CPU, Unit: Percent, Help: "Busy time of all cores over the last second; waiting for I/O is idle."},
	{Name: Memory, Unit: GB, Help: "Memory in use: total less available."},
	{Name: Disk, Unit: GB, Help: "Used space of the root file system (C: on Windows)."},

	{Name: "cpu_core", Unit: Percent, Labels: []string{"core"},
		Help: "Busy time of one core since the round before; waiting for I/O is idle."},
	{Name: "cpu_mode", Unit: Percent, Labels: []string{"mode"},
		Help: "Time of all cores in one mode (user, nice, system, irq, iowait or steal); guests count as user."},
	{Name: "load1", Unit: Count, Help: "Tasks that run or wait to, averaged over 1 minute; on Linux also those waiting for a disk."},
	{Name: "load5", Unit: Count, Help: "Tasks that run or wait to, averaged over 5 minutes; on Linux also those waiting for a disk."},
	{Name: "load15", Unit: Count, Help: "Tasks that run or wait to, averaged over 15 minutes; on Linux also those waiting for a disk."},
	{Name: "pressure", Unit: Percent, Labels: []string{"resource", "kind"},
		Help: "Time in which some or all (kind some, full) tasks waited for a resource (cpu, memory, io), averaged over 10 seconds; Linux only."},

	{Name: "memory_total", Unit: GB, Help: "Memory that the system has to give out."},
	{Name: "memory_available", Unit: GB, Help: "Memory that new programs could take without swapping."},
	{Name: "memory_cached", Unit: GB, Help: "Memory that holds file contents and can be taken back: buffers, page cache and reclaimable slabs."},
	{Name: "swap_total", Unit: GB, Help: "Swap space that is switched on."},
	{Name: "swap_used", Unit: GB, Help: "Swap space in use."},

	{Name: "disk_space_total", Unit: GB, Labels: []string{"mount", "device"}, Help: "Size of a file system."},
	{Name: "disk_space_used", Unit: GB, Labels: []string{"mount", "device"}, Help: "Used space of a file system, as df shows it."},
	{Name: "disk_space_free", Unit: GB, Labels: []string{"mount", "device"},
		Help: "Space of a file system that users can still take, as df shows it; less than total less used where root has a reserve."},
	{Name: "disk_read", Unit: BytesPerSecond, Labels: []string{"device"}, Help: "Bytes read from a disk."},
	{Name: "disk_write", Unit: BytesPerSecond, Labels: []string{"device"}, Help: "Bytes written to a disk."},
	{Name: "disk_read_operations", Unit: CountPerSecond, Labels: []string{"device"}, Help: "Reads that a disk completed."},
	{Name: "disk_write_operations", Unit: CountPerSecond, Labels: []string{"device"}, Help: "Writes that a disk completed."},
	{Name: "disk_busy", Unit: Percent, Labels: []string{"device"},
		Help: "Time in which a disk had at least one request in hand; disks that serve many at once are not full at 100."},

	{Name: "network_receive", Unit: BytesPerSecond, Labels: []string{"interface"}, Help: "Bytes received on a network interface."},
	{Name: "network_transmit", Unit: BytesPerSecond, Labels: []string{"interface"}, Help: "Bytes sent on a network interface."},
	{Name: "network_receive_packets", Unit: CountPerSecond, Labels: []string{"interface"}, Help: "Packets received on a network interface."},
	{Name: "network_transmit_packets", Unit: CountPerSecond, Labels: []string{"interface"}, Help: "Packets sent on a network interface."},
	{Name: "network_receive_errors", Unit: CountPerSecond, Labels: []string{"interface"}, Help: "Packets that came in damaged on a network interface."},
	{Name: "network_transmit_errors", Unit: CountPerSecond, Labels: []string{"interface"}, Help: "Packets that a network interface failed to send."},

	{Name: "processes", Unit: Count, Help: "Processes that exist, kernel threads among them; counted every 5 seconds (less often where there are thousands)."},
	{Name: "process_cpu", Unit: Percent, Labels: []string{"process"},
		Help: "Busiest processes: time of all cores that the processes of one name took, summed over them (by name, not by pid, to keep series few); the first 5, every 5 seconds."},
	{Name: "process_memory", Unit: GB, Labels: []string{"process"},
		Help: "Largest processes: resident memory that the processes of one name hold, summed over them (by name, not by pid, so shared pages count for each); the first 5, every 5 seconds."},

	{Name: "temperature", Unit: Celsius, Labels: []string{"sensor"}, Help: "Temperature that a sensor reads, taken every 5 seconds."},
	{Name: "uptime", Unit: Seconds, Help: "Time since the system started, sleep included."},

	{Name: "agent_cpu", Unit: Percent, Help: "Time of all cores that Vitals itself takes on this host."},
	{Name: "agent_memory", Unit: GB, Help: "Resident memory that Vitals itself holds on this host."},
}

// byName serves Lookup.
var byName = func() map[string]Type {
	types := make(map[string]Type, len(catalog))
	for _, t := range catalog {
		types[t.Name] = t
	}
	return types
}()
