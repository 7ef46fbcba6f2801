"""Services that speak the OpenAI protocol: chat completions and embeddings over HTTP."""
