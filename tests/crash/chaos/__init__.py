"""Processes that share a log in Redis while everything that can be disturbed is: `make chaos`.

`story` has the rules, the events and what must come of them · `load` publishes · `proxy` stands between a process and
Redis · `storm` disturbs · `trial` is one run from start to judgement · `unfenced` is a server without its fence.
"""
