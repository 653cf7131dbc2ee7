"""One subject a file; each has `add(app)` that registers its routes."""
