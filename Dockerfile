# The orchestrator as an image: docker build -t orchestrator .
#
# Nothing listens beyond loopback before API keys are configured (docs/http.md): run it with --network host, or beside
# what talks to it in one pod. Its only writable place is the volume; run it with --read-only --tmpfs /tmp.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY requirements/run.txt requirements/run.txt
RUN python -m venv /opt/tools \
    && /opt/tools/bin/pip install --no-cache-dir --require-hashes --requirement requirements/run.txt
COPY LICENSE README.md pyproject.toml ./
COPY client client
COPY streams streams
COPY rules rules
COPY projections projections
COPY adapters adapters
COPY replay replay
COPY orchestrator orchestrator
RUN /opt/tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels ./client . \
    && python -m venv --without-pip /opt/orchestrator \
    && /opt/tools/bin/pip --python /opt/orchestrator/bin/python install --no-cache-dir --require-hashes \
        --requirement requirements/run.txt \
    && /opt/tools/bin/pip --python /opt/orchestrator/bin/python install --no-cache-dir --no-deps /wheels/*.whl \
    && /opt/orchestrator/bin/python -m compileall -q /opt/orchestrator/lib

FROM python:3.12-slim-bookworm
COPY --from=build /opt/orchestrator /opt/orchestrator
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin orchestrator \
    && install --directory --owner orchestrator --group orchestrator /data
ENV PATH=/opt/orchestrator/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ORCHESTRATOR_LOG=sqlite:////data/log.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('ORCHESTRATOR_PORT', '8000') + '/health', timeout=4)"]
ENTRYPOINT ["orchestrator"]
CMD ["server"]
