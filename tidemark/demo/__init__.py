"""A real model, real data, a real shift: `tidemark demo` starts everything a user would and watches what happens."""
