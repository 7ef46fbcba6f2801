"""One answer, from what is asked for to how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.models.generation.sampling import Sampler
from actors.models.generation.session import Tokens
from actors.models.generation.vocabulary import Constraint
from policies.errors import TargetFailed


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """An answer that is to be made, is being made, or is over."""

    prompt: Tokens
    #: tokens that the answer may have
    limit: int
    #: that the answer keeps to; None: it may be anything
    grammar: str | None
    sampler: Sampler
    #: on the engine's clock
    deadline: float
    timeout_s: float = 0.0
    id: str = ""
    #: what there is of the answer
    tokens: list[int] = field(default_factory=list)
    text: bytearray = field(default_factory=bytearray)
    #: the answer's tokens that were taken out of several, and the sum of their `log_p`
    choices: int = 0
    log_p: float = 0.0
    #: tokens of the prompt that were known already
    reused: int = 0
    #: made of the grammar, and where the answer is in it
    constraint: Constraint | None = None
    state: int = Constraint.start
    is_over: bool = False
    #: when it was, on the engine's clock
    ended: float = 0.0
    #: the answer ends because it may have no more tokens
    is_cut: bool = False
    failure: TargetFailed | None = None
    is_unwanted: bool = False

    def has_more(self, than: int) -> bool:
        """Whether it is over, or its text has more bytes than that."""
        return self.is_over or len(self.text) > than
