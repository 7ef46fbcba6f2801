"""Models that generate text, under llama.cpp in this process. The way in is `gguf_model`."""
