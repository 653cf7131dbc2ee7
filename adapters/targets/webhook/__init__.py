"""Commands as HTTP requests."""
