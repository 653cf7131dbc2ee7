"""One job per file: `run(size, folder)` measures and returns its results."""
