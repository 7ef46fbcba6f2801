"""Commands of `rtfs` for what runs on Ray: `serve`, `submit`, `tickets`, `tokens`, `runtime`, `doctor`, and jobs."""
