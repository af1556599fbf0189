"""Which predictions are kept where only a share is."""
