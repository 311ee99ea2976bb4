package h2

// TryHooks is what Configure asks once in a process.
var TryHooks = tryHooks
