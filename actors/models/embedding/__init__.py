"""Texts to vectors, and what is judged by them: an embedder under llama.cpp, MiniLM, a zero-shot classifier."""
