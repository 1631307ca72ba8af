# Everything a person does here. `make help` lists it.
SHELL := /bin/sh
.DEFAULT_GOAL := help
ARGS ?=
PY := .venv/bin/python
OBSERVATORY := .venv/bin/observatory
# Where nothing compiled may be kept, every program that is started compiles all of its modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help venv venv-test tools node up down build check doctor preview pictures docs bench benchmarks success test coverage drill soak lint lock pin secrets clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

venv:
	@scripts/venv.sh runtime

venv-test:
	@scripts/venv.sh test

tools: ## fetch Prometheus and Alertmanager into .tools
	@scripts/tools.sh

node: venv
	@scripts/node.sh

up: venv tools node ## the whole stack on this machine, live, until Ctrl-C (ARGS="--no-preview" …)
	@exec $(OBSERVATORY) up $(ARGS)

down: venv ## stop what a killed `make up` left behind
	@exec $(OBSERVATORY) down $(ARGS)

build: venv ## write dashboards, rules, routes and runbooks to build/
	@exec $(OBSERVATORY) build $(ARGS)

check: venv tools ## prove the artefacts without any server
	@exec $(OBSERVATORY) check $(ARGS)

doctor: venv ## run every query of every panel and rule against the live sources
	@exec $(OBSERVATORY) doctor $(ARGS)

preview: venv node ## the dashboards in the browser, without Grafana
	@exec $(OBSERVATORY) preview $(ARGS)

pictures: venv node ## pictures of the dashboards of the running stack into docs/pictures
	@scripts/browser.sh
	@$(OBSERVATORY) preview --out docs/pictures --webp --keep-collapsed $(ARGS)
	@$(OBSERVATORY) preview --out docs/pictures/light --webp --keep-collapsed --theme light --only observatory-overview $(ARGS)

docs: venv ## docs/panels.md, metrics.md, checks.md, api.md and observatory.schema.json, anew from what they describe
	@$(PY) -m provisioning.panels_page > docs/panels.md.new && mv docs/panels.md.new docs/panels.md
	@$(PY) -m provisioning.metrics_page > docs/metrics.md.new && mv docs/metrics.md.new docs/metrics.md
	@$(PY) -m provisioning.check.page > docs/checks.md.new && mv docs/checks.md.new docs/checks.md
	@$(OBSERVATORY) config schema > observatory.schema.json.new && mv observatory.schema.json.new observatory.schema.json
	@$(PY) -m provisioning.api.page > docs/api.md.new && mv docs/api.md.new docs/api.md

bench: venv ## what the data plane costs, beside raw SQL, query-exporter and prometheus-client (ARGS="--only cycle --rows 1000000")
	@scripts/peer.sh
	@$(PY) -m benchmarks $(ARGS)

benchmarks: venv ## docs/benchmarks.md, from what `make bench` measured last on this machine
	@$(PY) -m benchmarks.page > docs/benchmarks.md.new && mv docs/benchmarks.md.new docs/benchmarks.md

success: venv tools ## the figures by which the whole is judged: loading, queries, accuracy, delivery of alerts, live figures, viewers
	@$(PY) -m benchmarks.success $(ARGS)

drill: venv tools ## every incident for real on a small stack: what fires, who hears of it and when (ARGS="--only errors --minutes 5")
	@$(PY) -m demo.drill $(ARGS)

soak: venv-test ## random interleavings (SOAK_EXAMPLES=1000 for each way of capture), then a simulated day (ARGS="--hours 24")
	@SOAK_EXAMPLES=$${SOAK_EXAMPLES:-1000} $(PY) -m pytest -q tests/rollups/test_property_interleavings.py
	@$(PY) -m soak $(ARGS)

lint: venv-test ## ruff and mypy
	@.venv/bin/ruff check .
	@.venv/bin/mypy contract recording_rules alert_rules dashboards exporters api provisioning demo benchmarks soak tracking/observatory_tracking

test: venv-test tools node ## everything: style and types, unit tests, promtool, amtool, and the living parts
	@scripts/browser.sh
	@scripts/peer.sh
	@scripts/pooler.sh
	@$(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

# Its report comes when tests fail, too; it ends as they did.
coverage: venv-test tools node ## which lines and branches the tests reach, in all processes: a summary, and var/coverage/html (ARGS="tests/check")
	@scripts/browser.sh
	@scripts/peer.sh
	@scripts/pooler.sh
	@rm -rf var/coverage && mkdir -p var/coverage
	@ended=0; $(PY) -m coverage run -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS) || ended=$$?; \
	$(PY) -m coverage combine --quiet && $(PY) -m coverage html --quiet && $(PY) -m coverage report && exit $$ended

lock: ## write requirements/*.lock anew (newest versions, with hashes, without index addresses)
	@scripts/lock.sh

pin: ## write the digests of the images of docker-compose.yml, where a registry can be asked
	@scripts/pin.sh

secrets: venv ## make the random passwords that docker-compose.yml mounts
	@scripts/secrets.sh

clean: down ## remove what make made (not .venv)
	rm -rf build var .tools preview/node_modules preview/.build
