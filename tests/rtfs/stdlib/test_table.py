import importlib
import inspect
import pkgutil
import re

import pytest

from rtfs import stdlib
from rtfs.stdlib.registry import REGISTERED
from rtfs.stdlib.table import BUILTINS, MODULES

#: the rows of language.md §6 for scalars, errors and effects, with aliases and extensions
_NAMES = """
    + * - / max min inc dec abs mod rem quot sqrt pow factorial even? odd? = not= != < > <= >= not and or
    zero? pos? neg? compare floor ceil round
    str string-length substring string-contains string-contains? starts-with? ends-with? split join string-join
    string-upper string-lower string-trim upper lower trim string-replace re-matches re-find re-seq
    int? float? number? string? string-p bool? nil? map? vector? list? keyword? symbol? fn?
    boolean? set? coll? error? true? false? type-name parse-int parse-float int float
    keyword symbol name namespace vec list set pr-str identity
    serialize-json serialize-json-pretty parse-json
    tool/serialize-json tool/serialize-json-pretty tool/parse-json
    getMessage ex-message ex-data ex-type Exception. RuntimeError. ex-info throw error process-data read-file
    meta gensym await ticket-state
    call tool/log tool.log log println tool/time-ms tool.time-ms current-time-millis get-env file-exists?
    tool/open-file tool/http-fetch http-fetch thread/sleep step kv/assoc! kv/dissoc! kv/conj!
    context/get context/set ccos.context/set load-capability llm-execute
"""


@pytest.mark.parametrize("name", _NAMES.split())
def test_has(name):
    assert name in BUILTINS


def test_every_module_that_registers_builtins_is_listed():
    found = set()
    for info in pkgutil.iter_modules(stdlib.__path__):
        module = importlib.import_module(f"rtfs.stdlib.{info.name}")
        if re.search(r"^@builtin\(", inspect.getsource(module), re.MULTILINE):
            found.add(module)
    assert set(MODULES) == found
    assert len(MODULES) == len(found)


def test_is_read_only():
    with pytest.raises(TypeError):
        BUILTINS["inc"] = BUILTINS["dec"]
    assert BUILTINS == REGISTERED


@pytest.mark.parametrize("builtin", sorted(set(BUILTINS.values()), key=lambda b: b.name), ids=lambda b: b.name)
def test_is_documented(builtin):
    assert builtin.examples
    assert builtin.doc.partition("\n\n")[0].endswith((".", ":"))
    for parameter in inspect.signature(builtin.function).parameters.values():
        assert parameter.kind in (
            parameter.POSITIONAL_ONLY,
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.VAR_POSITIONAL,
        )
