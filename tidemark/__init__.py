"""The application: commands, the HTTP service, and the wiring of every room."""
