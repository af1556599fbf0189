"""From built rows to the sink: batched, told from duplicates, kept while the store is away."""
