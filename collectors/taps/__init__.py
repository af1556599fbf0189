"""Where payloads come in: CloudEvents, Tidemark's own rows, and a reverse proxy in front of an inference server."""
