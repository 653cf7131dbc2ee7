"""Questions to history, and recovery: verify, rebuild, simulate.

Each of them is the same act, reading the log again from some position. Nothing here can deliver a command, because
nothing here can import `adapters`.
"""
