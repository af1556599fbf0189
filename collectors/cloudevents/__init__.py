"""CloudEvents in their three modes."""
