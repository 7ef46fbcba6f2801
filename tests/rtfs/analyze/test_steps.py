"""Steps, context names and removed or object forms."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('(step "a")', "nil"),
        ('(step "a" 1 2)', "2"),
        ('(step "a" :done)', ":done"),
        ('(step "a" :expose-context true :context-keys ["k"] 3)', "3"),
        ('(step "s" :params {"k" (+ 2 3) :j 1} [(get %params "k") %params])', '[5 {"k" 5 "j" 1}]'),
        ('(step "s" :params {"k" 1} (def inner 1)) inner', "!UndefinedSymbol: Undefined symbol: inner"),
        (
            '(step "s" :params 5 1)',
            "!InvalidArguments: Invalid arguments: expected a map literal after `:params`, got another form",
        ),
        ("(defn step [a] [:s a]) (step 5)", "[:s 5]"),
        ("(step-if 0 1 2)", "2"),
        ("(step-if [] 1)", "nil"),
        ("(step-if [0] 1)", "1"),
        (
            "(step-if 1)",
            "!InvalidArguments: Invalid arguments: expected (step-if test then else?), got 1 forms",
        ),
        ("(step-loop false 1)", "nil"),
        ("(step-loop true 1)", "!Generic: step-loop ran more than 10000 times"),
        ("(step-parallel 1 (+ 1 1))", "[1 2]"),
        ("(step-parallel :merge-policy :overwrite 1)", "[1]"),
        ("(try (step-parallel) (catch InvalidArguments e :bad))", ":bad"),
        ("(get :nowhere)", "nil"),
        ("(get nowhere)", "nil"),
        ("(let [k 3] (get :k))", "3"),
        ("(def k 4) (get k)", "4"),
        ("(get {:a 1} :a)", "1"),
        ("@nowhere", '"@nowhere"'),
        ("nowhere", "!UndefinedSymbol: Undefined symbol: nowhere"),
        ('(capability "n" :a (+ 1 1))', '{"type" "capability" "name" "n" "a" 2}'),
        ('(plan :name "n" :body 1)', '{"type" "plan" "name" "n" "body" 1}'),
        ("(resource r (property :a 1) (property :b 2))", '{"type" "resource" "name" "r" "a" 1 "b" 2}'),
        ("(plan 5)", "!UndefinedSymbol: Undefined symbol: plan"),
        (
            "(plan p 5)",
            "!InvalidProgram: a property of `(plan name :key value …)` is a keyword and a value, got `5`",
        ),
    ],
)
def test_outcomes(outcome, text, expected):
    assert outcome(text) == expected


def test_arguments_of_the_run_are_names(outcome):
    assert outcome("[who (get :who)]", args={"who": "me"}) == '["me" "me"]'


@pytest.mark.parametrize(
    ("head", "substitute"),
    [
        ("set!", "let or loop"),
        ("atom", ":ccos.state.kv.put"),
        ("deref", ":ccos.state.kv.get"),
        ("reset!", ":ccos.state.kv.put"),
        ("swap!", ":ccos.state.counter.inc"),
        ("assoc!", "kv/assoc!"),
        ("parallel", "step-parallel"),
        ("with-resource", "finally"),
        ("log-step", "(log message)"),
        ("discover-agents", ":ccos.agent"),
        ("task", "(plan name"),
    ],
)
def test_removed_heads_name_their_substitute(outcome, head, substitute):
    found = outcome(f"(try ({head} x 1) (catch NotImplemented e (getMessage e)))")
    assert head in found
    assert substitute in found
