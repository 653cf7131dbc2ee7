"""Traces in the form of OpenTelemetry, sent as OTLP over HTTP: requests, commits of the agent, attempts to deliver.

An extra: the modules in here import its packages, and are imported only where an endpoint is set. Without one nothing
is wrapped, and nothing costs anything.
"""
