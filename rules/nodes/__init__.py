"""Stateful nodes of rules: what they keep of a key between events, in `Cell.nodes`, and what they do with it.

One file a node. A node is built once for each rule set and holds no state itself: every method gets the cell. States
are plain values that msgpack can hold.
"""
