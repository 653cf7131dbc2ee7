"""One resource a file; each has `add(app)` that registers its routes."""
