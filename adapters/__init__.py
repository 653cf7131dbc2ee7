"""Delivery of commands: leases, attempts, retries, and what became of each command.

This is the one part that acts on the outside world, and so the one part that is not a pure function of the log.
`replay` cannot import it: replays never send.
"""
