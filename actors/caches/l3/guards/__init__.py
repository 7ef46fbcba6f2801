"""Guards: which texts must not share an answer, however near their vectors are. Pure functions of two texts."""

from actors.caches.l3.guards.compare import compare, refusal
from actors.caches.l3.guards.forms import analysed
from actors.caches.l3.guards.model import Analysis, Refusal

__all__ = ["Analysis", "Refusal", "analysed", "compare", "refusal"]
