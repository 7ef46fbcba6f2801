"""The words that generated policies, programs and worlds have in common, so that they concern each other."""

from __future__ import annotations

from typing import Final

#: keys of providers; some are written with `remote-` in the file
REMOTES: Final = ("openai", "claude", "cheap", "eu-cloud", "cluster")
LOCALS: Final = ("tiny", "big")
#: targets that no policy defines
GHOSTS: Final = ("ghost", "openia")
REGIONS: Final = ("eu", "us", "ch")
LOCALITIES: Final = ("machine", "site", "remote")

TENANTS: Final = ("acme", "apex", "globex", "initech")
TENANT_GLOBS: Final = ("acme", "a*", "glob*", "*", "?nitech", "[!a]*")
PERMISSIONS: Final = ("gpu", "pay", "export")
PLANS: Final = ("gold", "free")
PLAN_GLOBS: Final = ("*", "gold", "f*")

#: labels that policies may define; `odd` never is
LABELS: Final = ("pii", "secret", "health", "odd")
FACTS: Final = {"hour": (0, 3, 9, 22, 23), "region": ("eu", "us"), "weekend": (True, False), "load": (1, 5, 80)}

#: what the host keeps, and what it can do
CONTEXT_KEYS: Final = ("customer-name", "customer-id", "order", "mood")
CAPABILITIES: Final = ("crm.find", "crm.notes", "mail.read", "weather.now")
SOURCES: Final = (
    "context:customer*", "context:customer-name", "context:order", "context:*", "context:*-id",
    "capability:crm.*", "capability:crm.find", "capability:mail.read", "capability:*",
)  # fmt: skip
CAPABILITY_GLOBS: Final = ("crm.*", "*.read", "weather.now", "mail.*")

#: names of functions; those with a slash stand in a module
SYMBOLS: Final = (
    "ask-model", "ai-answer", "ai-classify", "sum-up", "summarise", "math-add", "math-mean", "translate",
    "rank", "redact-names", "redact-all",
)  # fmt: skip
MODULE: Final = "crm.data"
MODULE_NAMES: Final = ("load", "score", "combine")
SYMBOL_GLOBS: Final = (
    "*", "ai-*", "math-*", "sum*", "?ank", "ask-model", "translate", "crm.data/*", "*/score", "[a-m]*", "*-*",
    "summarise", "fn@*",
)  # fmt: skip
NAMESPACE_GLOBS: Final = ("crm.*", "crm.data", "other")
#: functions whose results carry no label where a policy says so; their bodies keep nothing of their arguments
DECLASSIFIERS: Final = ("redact-*", "redact-names", "redact-all")

TYPE_NAMES: Final = ("string", "integer", "vector", "map", "nil", "float", "boolean", "keyword", "function")
