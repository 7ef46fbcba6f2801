"""Routes of a program as a table, and each by itself, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from os.path import basename
from typing import Final

from policies.dry_route import FunctionRoute
from policies.plan import Because, DelegationPlan, Rejection
from policies.targets import target_name
from rtfs.delegation import LocalPure
from rtfs.report import visible

_HEADER: Final = ("FUNCTION", "RUNS ON", "COST", "TIME", "WHY")
#: columns that are shown only if they say something
_OPTIONAL: Final = (2, 3)


def table(routes: Iterable[FunctionRoute]) -> list[str]:
    """One line for each function, and one for each kind of arguments that decides about it."""
    rows = [row for route in routes for row in _rows(route)]
    kept = [at for at in range(len(_HEADER)) if at not in _OPTIONAL or any(row[at] for row in rows)]
    return _aligned([[_on_one_line(row[at]) for at in kept] for row in [_HEADER, *rows]])


def details(route: FunctionRoute) -> str:
    """All there is to say about one function."""
    place = "" if route.span is None else f" ({route.source}:{route.span.line})"
    title = f"{route.function.symbol}{place}"
    if not route.cases:
        return route.explanation.render(title)
    return "\n".join(case.explanation.render(f"{title}, {case}") for case in route.cases)


def is_plain(route: FunctionRoute) -> bool:
    """Whether the function runs here because nothing was ever to send it elsewhere."""
    plan = route.explanation.plan
    return (
        not route.cases and plan.stage == "default" and isinstance(plan.target, LocalPure) and not plan.rejected
    )


def why(plan: DelegationPlan, route: FunctionRoute) -> str:
    """The reason of a plan in a few words."""
    forbidden = [one for one in plan.rejected if one.hard is not None]
    if plan.stage == "fallback" and plan.rejected:
        return _against(forbidden[0] if forbidden else plan.rejected[0])
    if plan.stage == "hint":
        said = "its hint" if route.span is None else f"its hint ({basename(route.source)}:{route.span.line})"
    else:
        said = _briefly(plan.because) if plan.because else plan.reasoning
    names = ", ".join(target_name(one.target) for one in forbidden)
    rules = ", ".join(dict.fromkeys(str(one.hard) for one in forbidden))
    return f"{said}; {rules} forbids {names}" if forbidden else said


def _against(one: Rejection) -> str:
    """What forbids a target, or is against it."""
    if one.hard == "provider" or one.because is None:
        return one.reason
    if one.hard is None or one.hard == "type":
        return f"not {target_name(one.target)}: {one.reason}"
    place = _briefly(one.because).removeprefix("privacy ")
    return f"{one.hard} forbids {target_name(one.target)}: {place}"


def _briefly(because: Because) -> str:
    """The place without the folders: the line above the table names the file."""
    return (
        because.what
        if because.line is None
        else f"{because.what} ({basename(because.source or '')}:{because.line})"
    )


def cost(plan: DelegationPlan) -> str:
    """What a call is expected to cost, nothing where it runs here."""
    amount = plan.expected.cost_usd
    if plan.is_local or amount is None:
        return ""
    return "free" if amount == 0 else f"${amount:g}"


def time(plan: DelegationPlan) -> str:
    """How long a call is expected to take, nothing where it runs here."""
    latency = plan.expected.latency_ms
    return "" if plan.is_local or latency is None else f"{latency:g} ms"


def _rows(route: FunctionRoute) -> Iterator[Sequence[str]]:
    symbol = route.function.symbol
    if not route.cases:
        yield _row(symbol, route.explanation.plan, route)
        return
    rules = ", ".join(because.what for because in route.explanation.undecided) or "a hard rule"
    yield symbol, "by arguments", "", "", f"{rules} looks at them"
    for case in route.cases:
        yield _row(f"  {case}", case.explanation.plan, route)


def _row(name: str, plan: DelegationPlan, route: FunctionRoute) -> Sequence[str]:
    return name, target_name(plan.target), cost(plan), time(plan), why(plan, route)


def _on_one_line(cell: str) -> str:
    """Names out of a policy may hold anything."""
    return visible(cell).replace("\n", "\\n")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
