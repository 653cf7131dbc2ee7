"""The shell: settings, wiring, command line, HTTP API, console, metrics, audit.

The only package that reads settings, the environment, clocks and random numbers; it hands them down as frozen options
and injected functions.
"""
