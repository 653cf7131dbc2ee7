"""The adapter pod: a process that delivers commands of some targets, which it takes from servers over HTTP."""
