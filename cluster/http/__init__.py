"""The HTTP API: an ASGI application over the port `actors.service`, and its deployment on Ray Serve."""
