"""The shape of `delegation.toml`, as pydantic models. `load` reads it; docs/policies.md explains it.

Frozen, strict (`"30"` is no number, `true` no integer), and no key beyond those named. Nothing here looks at
two tables at once: what has to agree with what (a rule's targets with the providers) is checked in
`policies.file.validate`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict

from policies.file.device import PATTERN

type Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
type NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
type Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
type Count = Annotated[int, Field(ge=0)]
type Eviction = Literal["lru", "lfu", "fifo", "random", "ttl"]
type Glob = Annotated[str, Field(min_length=1, max_length=500)]
type Filled = Annotated[str, Field(min_length=1, max_length=4000)]
type TargetName = Annotated[str, Field(min_length=1, max_length=200)]
#: a glob over target names
type TargetGlob = Glob
type FactValue = str | int | bool
#: what can be inside a model on this machine
type ModelKind = Literal["echo", "rules", "embedder", "classifier", "gguf"]
#: what a model computes on
type Device = Annotated[str, Field(pattern=PATTERN)]
type ReplicaCount = Annotated[int, Field(ge=1, le=1024)]
# arrays of the file become tuples and sets; what is in them stays strict
type Texts = Annotated[tuple[str, ...], Strict(False)]
type ArgTypes = Annotated[tuple[str, ...], Strict(False), Field(max_length=100)]
type TextSet = Annotated[frozenset[str], Strict(False)]
type Globs = Annotated[tuple[Glob, ...], Strict(False)]
type GlobSet = Annotated[frozenset[Glob], Strict(False)]
type TargetNames = Annotated[tuple[TargetName, ...], Strict(False)]
type FactValues = Annotated[tuple[FactValue, ...], Strict(False)]


class Table(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TargetFacts(Table):
    """What decisions may look at of any target that the policy names."""

    cost_usd: NotNegative | None = None  # expected price of a call
    max_cost_usd: NotNegative | None = None  # no call costs more; reserved before it starts
    latency_ms: NotNegative | None = None  # expected time of a call
    quality: Fraction | None = None  # expected quality of an answer
    capacity: Count | None = None  # calls that it takes at once
    locality: Literal["machine", "site", "remote"] | None = None  # how far data travels; None: by kind
    region: str | None = None  # where it runs, for rules about residence
    permissions: TextSet = frozenset()  # all of them are needed to use it
    tenants: GlobSet = frozenset()  # only these may use it; empty: all


class Sampling(Table):
    """How a model that generates text picks its words. None: as the model, or the service, sees fit."""

    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    top_p: Fraction | None = None
    top_k: Count | None = None
    seed: Count | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None  # of an answer


class RemoteProvider(TargetFacts, Sampling):
    """`[delegation.remote_providers.NAME]`."""

    endpoint: Filled
    kind: Literal["openai", "rtfs"] = "openai"
    timeout: Annotated[int, Field(gt=0, le=86_400_000)] = 30_000  # milliseconds
    model: str | None = None
    api_key_env: str | None = None  # name of the variable that holds the secret, never the secret
    replicas: Texts = ()  # further endpoints of the same service
    # of the kind "openai"
    input_usd_per_mtok: NotNegative | None = None  # price of a million tokens of the prompt
    output_usd_per_mtok: NotNegative | None = None  # and of the answer
    structured: Literal["auto", "json-schema", "json-object", "prompt"] = "auto"  # how types are asked for
    stream: bool = False
    retries: Annotated[int, Field(ge=0, le=10)] = 2  # of one call, while its time lasts
    proxy: Filled | None = None  # URL; None: as the environment says
    ca_file: Filled | None = None  # certificates to trust in place of the system's


class ReplicaRange(Table):
    """`replicas = { min = 1, max = 4 }`: as many as the queue needs."""

    min: ReplicaCount = 1
    max: ReplicaCount


class LocalModelEntry(TargetFacts, Sampling):
    """`[delegation.local_models.NAME]`. What a model of some kind needs is checked in `validate_models`."""

    kind: ModelKind | None = None  # None: by how the name of its file ends
    path: Filled | None = None  # its file, for kinds that have one
    fail_rate: Fraction = 0.0  # of `echo`: share of calls that fail, for trials
    device: Device = "cpu"
    replicas: ReplicaCount | ReplicaRange = 1
    queue_bound: Annotated[int, Field(ge=1, le=1_000_000)] = 4096  # requests that may wait
    threshold: Fraction = 0.0  # of `classifier`: an answer with less confidence counts as a guess
    # of `gguf`
    mode: Literal["chat", "completion"] | None = None  # None: chat if the file has a template for it
    context_length: Annotated[int, Field(ge=16, le=10_000_000)] | None = None  # tokens; None: the file's own
    overflow: Literal["refuse", "truncate"] = "refuse"  # what becomes of a prompt that does not fit
    parallel: Annotated[int, Field(ge=1, le=256)] = 1  # answers that are decoded at once
    gpu_layers: Annotated[int, Field(ge=-1)] = -1  # on a GPU; -1: all

    @property
    def fewest(self) -> int:
        """The smallest number of replicas."""
        return self.replicas if isinstance(self.replicas, int) else self.replicas.min

    @property
    def most(self) -> int:
        """The largest number of replicas."""
        return self.replicas if isinstance(self.replicas, int) else self.replicas.max


class RuleCache(Table):
    """`cache` of a rule: how results of its functions are kept."""

    tier: Literal["none", "l2", "l3"] = "l2"
    ttl: Positive | None = None  # seconds; None: delegation.cache_ttl


class Weights(Table):
    """What a choice among allowed targets is worth. Of each, only its share of the sum matters."""

    cost: NotNegative = 1.0
    latency: NotNegative = 1.0
    quality: NotNegative = 1.0


class Rule(Table):
    """`[[delegation.rules]]`: conditions, all of which must hold, and what follows. No condition: always.

    A rule with `deny` or `require_locality` or `require_region` is a hard rule for what it matches; one with
    `targets` chooses; one may do both.
    """

    name: str | None = None
    # conditions
    symbols: Globs = ()  # over the qualified symbol; any
    namespaces: Globs = ()  # over the module's name; any
    arg_types: ArgTypes | None = None  # by position; "any" matches all, a last "..." any further
    min_size: Count | None = None
    max_size: Count | None = None
    capabilities: Globs = ()  # the function may call one of these
    tenants: Globs = ()
    permissions: TextSet = frozenset()  # the run has all of these
    privacy: TextSet = frozenset()  # the arguments may carry one of these labels
    when: dict[str, FactValue | FactValues] = {}  # ambient facts: a value, several, or "22-6"
    # hard consequences
    deny: Globs = ()
    require_locality: Literal["machine", "site"] | None = None  # no farther than this
    require_region: TextSet = frozenset()
    # choice
    targets: TargetNames = ()
    choose: Literal["first", "best"] = "first"  # of the allowed targets: in order, or by weight
    fallback: TargetNames = ()
    max_cost_usd: NotNegative | None = None  # for a whole call, fallbacks included
    max_latency_ms: Positive | None = None
    min_quality: Fraction | None = None
    min_confidence: Fraction | None = None  # below it an answer escalates along the chain
    weights: Weights | None = None
    cache: RuleCache | None = None


type Rules = Annotated[tuple[Rule, ...], Strict(False)]


class Health(Table):
    """`[delegation.health]`: when a target counts as unhealthy, and for how long."""

    window_s: Positive = 60.0
    min_calls: Annotated[int, Field(ge=1)] = 5  # before an error rate means anything
    max_error_rate: Fraction = 0.5
    consecutive_failures: Annotated[int, Field(ge=1)] = 3
    max_latency_ms: Positive | None = None  # a slower median counts as unhealthy
    half_open_calls: Annotated[int, Field(ge=1)] = 1
    cool_down_s: dict[str, Positive] = {}  # by cause, over the defaults of `policies.running.health`
    max_cool_down_s: Positive = 600.0


class Budget(Table):
    """`[delegation.budgets.NAME]`: what a tenant, a plan or a provider may cost in a window of time."""

    scope: Literal["tenant", "plan", "provider", "all"]
    match: Glob = "*"  # owners it is for; each has a purse of its own
    limit_usd: NotNegative
    window: Literal["minute", "hour", "day", "week", "month", "forever"] = "day"  # UTC; month: 30 days


class CacheTable(Table):
    """`[delegation.caches.l1]` and its like."""

    enabled: bool = True
    size: Annotated[int, Field(ge=1)] = 10_000  # entries
    size_bytes: Annotated[int, Field(ge=1 << 20)] | None = None  # None: what so many entries need
    ttl: Positive | None = None  # seconds; None: delegation.cache_ttl
    eviction: Eviction = "lru"
    confidence_threshold: Fraction = 0.0


class MeaningTable(CacheTable):
    """`[delegation.caches.l3]`: results by meaning, of functions that are declared so."""

    embedder: Filled = "minilm"  # a local model of the kind `embedder`, or the one that comes along
    max_error: Annotated[float, Field(gt=0, le=0.5)] = 0.01  # share of its answers that may be wrong


class ModulesTable(Table):
    """`[delegation.caches.l4]`: signed modules that run in place of functions."""

    enabled: bool = True
    size_bytes: Annotated[int, Field(ge=1 << 20)] = 1 << 30  # of all modules, for `rtfs modules gc`
    accept: Literal["body", "interface"] = "body"  # of the same function, or the same name and types
    similar_at_least: Annotated[float, Field(gt=0, le=1)] | None = None  # of descriptions; None: never


class PrewarmingTable(Table):
    """`[delegation.caches.prewarming]`: calls that are likely to come are asked beforehand. Off by default."""

    enabled: bool = False
    targets: Globs = ()  # only these are asked beforehand
    min_probability: Annotated[float, Field(gt=0, le=1)] = 0.5  # that the call comes
    max_calls_per_minute: Annotated[int, Field(ge=1, le=60_000)] = 30  # of each process
    max_usd_per_hour: NotNegative = 0.0  # of each process; 0: only what costs nothing


class Caches(Table):
    """`[delegation.caches]`."""

    l1: CacheTable = CacheTable()
    l2: CacheTable = CacheTable(size=100_000)
    l3: MeaningTable = MeaningTable()
    l4: ModulesTable = ModulesTable()
    prewarming: PrewarmingTable = PrewarmingTable()


class PrivacyLabel(Table):
    """`[delegation.security.privacy.LABEL]`: where data with the label may go. `local-pure` always may."""

    allow: Globs = ()


class Security(Table):
    """`[delegation.security]`: the hard rules that are not about single functions."""

    privacy: dict[str, PrivacyLabel] = {}
    #: a label that no table defines may go only here
    unknown_label_allow: Globs = ()
    #: `"context:customer*"` or `"capability:crm.*"` → labels
    sources: dict[Glob, Texts] = {}
    declassify: Globs = ()  # functions whose results carry no label
    #: target glob → permissions that a run needs to use it
    require: dict[TargetGlob, TextSet] = {}


class Learning(Table):
    """`[delegation.learning]`: the adaptive engine. Off by default."""

    enabled: bool = False
    exploration: Annotated[float, Field(ge=0, le=0.2)] = 0.0  # share of decisions spent on learning
    seed: int = 0
    half_life: Positive = 200.0  # outcomes after which an old one counts half
    min_outcomes: Annotated[int, Field(ge=1)] = 20  # of a target before it may be chosen for what was learnt
    min_quality: Fraction = 0.98  # share of the best target's quality that a cheaper one must reach


class RemoteRtfs(Table):
    """`[delegation.remote_rtfs]`: functions that run as whole steps on another RTFS cluster."""

    steps: Globs = ()
    provider: str | None = None


class ModelChoice(Table):
    """`[delegation.model_choice]`: a model is asked where calls should run that no rule decides."""

    target: TargetName | None = None
    timeout_ms: Positive = 500.0
    candidates: TargetNames = ()


class Delegation(Table):
    """`[delegation]`."""

    default_target: TargetName = "local-pure"
    cache_ttl: Positive = 3600.0  # seconds
    enable_l4_cache: bool = True
    static_routes: dict[Glob, TargetName] = {}
    remote_providers: dict[str, RemoteProvider] = {}
    local_models: dict[str, LocalModelEntry] = {}
    rules: Rules = ()
    fallback: TargetNames = ()  # chain of targets for what no rule gives one
    weights: Weights = Weights()
    max_cost_usd: NotNegative | None = None  # of one delegated call, fallbacks included
    timeout_ms: Positive = 60_000.0  # of one delegated call, fallbacks included
    health: Health = Health()
    budgets: dict[str, Budget] = {}
    caches: Caches = Caches()
    security: Security = Security()
    learning: Learning = Learning()
    remote_rtfs: RemoteRtfs = RemoteRtfs()
    model_choice: ModelChoice = ModelChoice()


class PolicyFile(Table):
    """The whole file."""

    delegation: Delegation = Delegation()
