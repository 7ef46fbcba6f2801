"""Bodies of requests that the OpenAPI document and `/docs` show; tests send them all."""

from __future__ import annotations

from typing import Any, Final

EVALUATE: Final[dict[str, Any]] = {
    "sum": {"source": "(+ 1 2)"},
    "arguments": {
        "source": '(str greeting ", " (join " and " (sort names)) "!")',
        "args": {"greeting": "Hello", "names": ["Grace", "Ada"]},
    },
    "call": {
        "source": "(defn double [n] (* 2 n))",
        "call": {"function": "double", "args": [21]},
    },
    "data": {
        "source": "(contains? wanted :a)",
        "rtfs_args": {"wanted": "#{:a :b}"},
    },
    "limits": {
        "source": "(loop [n 0] (if (< n 1000) (recur (+ n 1)) n))",
        "level": "pure",
        "limits": {"deadline_ms": 2000, "allocation_bytes": 67108864},
    },
    "fresh": {
        "source": "(* 6 7)",
        "cache": {"max_age_s": 60, "no_store": True},
    },
    "ticket": {
        "source": "(reduce + 0 (range 1000))",
        "mode": "async",
        "ticket": {"name": "nightly sum", "priority": 5, "max_attempts": 3},
    },
}
EXPLAIN: Final[dict[str, Any]] = {
    "mood": {"source": '(defn classify-mood [text] (if (re-find "!" text) "cross" "glad"))'},
}
POLICY: Final[dict[str, Any]] = {
    "local": {"text": '[delegation]\ndefault_target = "local-pure"\n'},
}
