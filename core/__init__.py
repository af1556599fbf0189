"""Values shared by every room: records, distributions, findings, configuration, metrics, errors. Opens no socket."""
