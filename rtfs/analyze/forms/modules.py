"""`module`, `import` (and `require`), `export`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rtfs import errors, ir
from rtfs.analyze.core import Analysis, Call, constant, special
from rtfs.analyze.environment import Environment, KnownModule
from rtfs.analyze.expansion_world import module_key
from rtfs.analyze.names import builtin_member, is_builtin_module
from rtfs.analyze.scope import Scope
from rtfs.analyze.syntax import QUOTE, Item, describe, invalid, is_symbol, items_of, nearest_hint
from rtfs.errors import Span
from rtfs.values import Keyword, List, Symbol, Value, Vector


@dataclass(slots=True)
class _ModuleParts:
    """A `module` form taken apart."""

    name: str
    docstring: str | None = None
    exports: list[str] = field(default_factory=list)
    body: list[Item] = field(default_factory=list)


@special("module")
def module(call: Call, scope: Scope) -> ir.Node:
    """`(module a.b "doc"? (:exports [x y])? form*)`: analysed once, in an environment of its own."""
    shared = scope.analysis.shared
    known = shared.modules.get(id(call.form))
    if known is None:
        made, about = _analyze_module(call, scope)
        known = shared.modules[id(call.form)] = (call.form, made)
        scope.analysis.environment.inline_modules[made.name] = about
    return known[1]


def _analyze_module(call: Call, scope: Scope) -> tuple[ir.ModuleForm, KnownModule]:
    from rtfs.analyze.program import top_level

    parts = _split_module(call)
    outer = scope.analysis.environment
    inner = Environment(modules=outer.modules)
    # what the text defined so far may be imported here
    for name, known in outer.inline_modules.items():
        inner.inline_modules[name] = known
        source = outer.sources.get(module_key(name))
        if source is not None:
            inner.sources[module_key(name)] = source
    analysis = Analysis(scope.analysis.source, inner, scope.analysis.shared)
    body = top_level(parts.body, analysis)
    exports = tuple(dict.fromkeys(parts.exports))
    macros = {name: inner.macros[name] for name in exports if name in inner.macros}
    values = tuple([name for name in exports if name not in macros])
    defines = tuple(analysis.defines)
    node = ir.ModuleForm(parts.name, parts.docstring, values, defines, body, span=call.span)
    return node, KnownModule(parts.name, values, macros)


def _split_module(call: Call) -> _ModuleParts:
    if not call.args or type(call.args[0].form) not in (Symbol, str):
        raise invalid("`module` takes a name first", call.span)
    form = call.args[0].form
    parts = _ModuleParts(form if type(form) is str else form.name)
    rest = call.args[1:]
    if rest and type(rest[0].form) is str:
        parts.docstring = rest.pop(0).form
    for item in rest:
        head = item.form[0] if type(item.form) is List and item.form else None
        if head in (Keyword.of("exports"), Keyword.of("export")) or is_symbol(head, "export"):
            parts.exports += _names(items_of(item.form, item.span)[1:])
        else:
            parts.body.append(item)
    return parts


def _names(items: Sequence[Item]) -> list[str]:
    """Names listed one by one or in vectors."""
    found: list[str] = []
    for item in items:
        if type(item.form) is Symbol:
            found.append(item.form.name)
        elif type(item.form) is Vector:
            found += _names(items_of(item.form, item.span))
        else:
            raise invalid(f"a list of names holds {describe(item.form)}", item.span)
    return found


@special("export", shadowable=True)
def export(call: Call, scope: Scope) -> ir.Node:
    """`(export x …)`, which `module` has taken from its body."""
    raise invalid("`export` stands directly in a `module` form", call.span)


# ---------------------------------------------------------------- import


@dataclass(slots=True)
class _ImportSpec:
    """One import as written. `only`: None if not given."""

    module: str
    span: Span
    alias: str | None = None
    only: list[str] | None = None


@special("import", "require")
def import_(call: Call, scope: Scope) -> ir.Node:
    """`(import m)`, `(import m :as a)`, `(import m :only [x])`, `(import [m :as a :refer [x]])`."""
    made = [_import(spec, scope) for spec in import_specs(call)]
    return made[0] if len(made) == 1 else ir.Do(tuple(made), span=call.span)


def import_specs(call: Call) -> list[_ImportSpec]:
    """The imports that one form asks for.

    Raises:
        InvalidProgram: a part is out of place, or an option is unknown.
        ModuleError: `:as` together with `:only`.
    """
    items = [_unquoted(item) for item in call.args]
    if not items:
        raise invalid(f"`{call.head}` takes the name of a module", call.span)
    if type(items[0].form) is Vector:
        return [_vector_spec(item, call) for item in items]
    return [_spec(items, call)]


def _unquoted(item: Item) -> Item:
    """`'x` as `x`, as `require` is written elsewhere."""
    form = item.form
    if type(form) is List and len(form) == 2 and form[0] is QUOTE:
        return items_of(form, item.span)[1]
    return item


def _vector_spec(item: Item, call: Call) -> _ImportSpec:
    if type(item.form) is not Vector or not item.form:
        raise invalid(f"`{call.head}` takes `[module …]` here, got {describe(item.form)}", item.span)
    return _spec(items_of(item.form, item.span), call)


def _spec(items: Sequence[Item], call: Call) -> _ImportSpec:
    name, *options = items
    if type(name.form) not in (Symbol, str):
        raise invalid(f"`{call.head}` takes the name of a module, got {describe(name.form)}", name.span)
    module_name: Value = name.form if type(name.form) is str else name.form.name
    found = _ImportSpec(module_name, name.span)
    written = []
    for index in range(0, len(options), 2):
        key = options[index]
        written.append(_option(found, key, options[index + 1 : index + 2]))
    if "as" in written and "only" in written:
        raise errors.ModuleError("an import takes either :as or :only, not both", span=call.span)
    return found


def _option(spec: _ImportSpec, key: Item, value: Sequence[Item]) -> str:
    name = key.form.name if type(key.form) is Keyword else None
    if name not in ("as", "only", "refer"):
        hint = None if name is None else nearest_hint(f":{name}", (":as", ":only", ":refer"))
        raise invalid(f"an import knows `:as` and `:only`, not {describe(key.form)}", key.span, hint)
    form: Value = value[0].form if value else None
    if name == "as" and type(form) is Symbol:
        spec.alias = form.name
    elif name != "as" and type(form) is Vector:
        spec.only = _names(value)
    else:
        wanted = "a name" if name == "as" else "a vector of names"
        raise invalid(f"`:{name}` takes {wanted}", key.span)
    return name


def _import(spec: _ImportSpec, scope: Scope) -> ir.Node:
    environment = scope.analysis.environment
    if spec.module not in environment.inline_modules and _import_builtins(spec, environment):
        return constant(None, spec.span)
    known = environment.find_module(spec.module, spec.span)
    names: list[tuple[str, str]] = []
    prefix = spec.alias or spec.module
    if spec.only is None or spec.alias is not None:
        environment.aliases[prefix] = spec.module
        names += [(name, f"{prefix}/{name}") for name in (known.exports if known is not None else ())]
    names += [(name, name) for name in spec.only or ()]
    macros = {} if known is None else _import_macros(spec, known, environment)
    names = [(name, as_) for name, as_ in names if as_ not in macros]
    environment.globals.update([as_ for _, as_ in names])
    scope.analysis.shared.depend_on(known)
    return ir.Import(spec.module, tuple(names), span=spec.span)


def _import_macros(spec: _ImportSpec, known: KnownModule, environment: Environment) -> set[str]:
    """Make the module's macros known here; their names here."""
    prefix = spec.alias or spec.module
    found = set()
    for name, macro in known.macros.items():
        if spec.only is None or spec.alias is not None:
            found.add(f"{prefix}/{name}")
            environment.macros[f"{prefix}/{name}"] = macro
        if spec.only is not None and name in spec.only:
            found.add(name)
            environment.macros[name] = macro
    return found


def _import_builtins(spec: _ImportSpec, environment: Environment) -> bool:
    """Import from a module of the standard library, if it is one and no file hides it."""
    if not is_builtin_module(spec.module):
        return False
    if spec.only is None or spec.alias is not None:
        environment.aliases[spec.alias or spec.module] = spec.module
    for name in spec.only or ():
        full = builtin_member(spec.module, name)
        if full is None:
            raise errors.ModuleError(f"Symbol '{name}' not exported by module '{spec.module}'", span=spec.span)
        environment.builtin_names[name] = full
    return True
