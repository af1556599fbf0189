"""From the taps into the log: what is accepted, in which form, and how much of it."""
