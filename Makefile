# Each verb is one line here and, if it is longer, one script. `make demo` and `make test` need nothing set up.

.PHONY: help setup demo test slow check bench docs format lock clean
.DEFAULT_GOAL := help

help:            ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 16

setup:           ## make .venv (done by the others when needed)
	@scripts/setup

demo: setup      ## start a runtime on Ray, triage its own logs; LOG=FILE for another
	@scripts/demo $(if $(LOG),"$(LOG)")

test: setup      ## all tests; ARGS="-k reader" for some
	@scripts/test $(ARGS)

slow: setup      ## the tests that take longest, which `make test` leaves out
	@SLOW=1 scripts/test $(ARGS)

check: setup     ## ruff, its formatter, mypy --strict
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --strict

bench: setup     ## how fast it is, beside its peers; some fifty minutes
	.venv/bin/python benchmarks/language.py
	.venv/bin/python benchmarks/reader.py
	.venv/bin/python benchmarks/linking.py
	.venv/bin/python benchmarks/decisions.py
	.venv/bin/python benchmarks/routing.py
	.venv/bin/python benchmarks/delegated.py
	.venv/bin/python benchmarks/serving.py
	.venv/bin/python benchmarks/answers.py
	.venv/bin/python benchmarks/models.py
	.venv/bin/python benchmarks/classifying.py
	.venv/bin/python benchmarks/models_on_ray.py
	.venv/bin/python benchmarks/caches.py
	.venv/bin/python benchmarks/semantic_search.py
	.venv/bin/python benchmarks/semantic.py
	.venv/bin/python benchmarks/semantic_on_ray.py
	.venv/bin/python benchmarks/prewarming.py
	.venv/bin/python benchmarks/wasm.py
	.venv/bin/python benchmarks/l4.py

docs: setup      ## write docs/library.md anew from the library
	.venv/bin/python scripts/gen-docs

format: setup    ## put the code in shape
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lock:            ## resolve requirements.lock anew from pyproject.toml
	scripts/lock

clean:           ## remove all that can be made again
	rm -rf .venv .uv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
