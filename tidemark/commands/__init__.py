"""One command a file: `run(arguments)` does it and returns the exit code."""
