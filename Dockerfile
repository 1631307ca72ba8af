# One image for everything of ours: build, exporter and the demonstration. Runs as nobody, writes only to its volumes.
FROM python:3.13.9-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PATH=/opt/observatory/.venv/bin:$PATH
WORKDIR /opt/observatory

COPY requirements/runtime.lock requirements/
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/runtime.lock

# promtool to check with, and a Prometheus to fill the history of the demonstration, unpacked from Debian's packages.
COPY scripts/say.sh scripts/tools.sh scripts/
RUN apt-get update && scripts/tools.sh && rm -rf /var/lib/apt/lists/* var

COPY . .
RUN .venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation -e . && rm -rf agent_observatory.egg-info \
    && install -d -o 65534 -g 65534 /artefacts /state

USER 65534:65534
ENTRYPOINT ["observatory"]
CMD ["--help"]
