"""The shell: settings, wiring, command line, HTTP API, metrics, and what watches them.

The only package that reads settings, the environment, clocks and random numbers; it hands them down as frozen options
and injected functions.
"""
