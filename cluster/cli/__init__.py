"""Commands for what runs on Ray: `rtfs serve`, `submit`, `tickets`, `tokens`, `runtime`, `doctor`; jobs."""
