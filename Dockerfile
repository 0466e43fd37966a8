# One image for all services: the command says which. Build with `docker compose build`.
FROM python:3.12-slim AS build

WORKDIR /build
RUN python -m venv /opt/spreadlake
ENV PATH=/opt/spreadlake/bin:$PATH

# The locked dependencies change seldom, so they are a layer of their own.
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE spreadlake.example.toml ./
COPY spreadlake spreadlake
COPY collector collector
COPY analytics_job analytics_job
COPY exporter exporter
COPY notifier notifier
COPY uploader uploader
COPY importer importer
COPY simulator simulator
COPY launcher launcher
COPY grafana grafana
# The tests of the dependencies take 60 MB, and nothing runs them here.
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
 && find /opt/spreadlake -type d -name tests -path '*/site-packages/*' -prune -exec rm -rf {} + \
 && pip uninstall --yes --quiet pip


FROM python:3.12-slim

# The lake belongs to this user and its group; who may read it joins the group.
RUN groupadd --gid 10001 spreadlake \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin spreadlake \
 && install -d -o spreadlake -g spreadlake -m 2750 /lake

COPY --from=build /opt/spreadlake /opt/spreadlake

ENV PATH=/opt/spreadlake/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SPREADLAKE_DATA=/lake

USER 10001:10001
WORKDIR /tmp
VOLUME /lake
ENTRYPOINT ["spreadlake"]
CMD ["--help"]
