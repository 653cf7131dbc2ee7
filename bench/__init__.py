"""Measurements of the engine, each against a floor that runs in the same minutes on the same machine.

`python -m bench` (or `make bench`) prints the table of `docs/performance.md`. A job is one file in `bench/jobs`; what
it compares runs in processes of its own, round by round in turn, so that noise of the machine meets both alike. Nothing
here is imported by the engine.
"""
