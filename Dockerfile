# The service, and the MLflow server of the same libraries. docs/serving.md, "In containers", says how it is run.
# Nothing that is secret is copied: .dockerignore lets in only what is named there.

FROM python:3.12.12-slim-bookworm AS libraries
COPY requirements.lock .
RUN python -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r requirements.lock

FROM python:3.12.12-slim-bookworm
# libgomp1: LightGBM's wheel has none of its own
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin scoring \
 && mkdir -p /app/data /mlflow/artifacts /var/cache/numba /etc/customer-scoring \
 && chown 10001:10001 /app/data /mlflow/artifacts /var/cache/numba
COPY --from=libraries /opt/venv /opt/venv
WORKDIR /app
COPY pyproject.toml requirements.lock LICENSE README.md ./
COPY configs configs
COPY features features
COPY training training
COPY classification classification
COPY serving serving
COPY deploy/entrypoint.sh deploy/entrypoint.sh
RUN /opt/venv/bin/python -m compileall -q features training classification serving

# The root is read-only: what is compiled and what is drawn goes elsewhere.
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    NUMBA_CACHE_DIR=/var/cache/numba \
    XDG_CONFIG_HOME=/etc \
    MLFLOW_DISABLE_TELEMETRY=true \
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=180s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["sh", "/app/deploy/entrypoint.sh"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--keys", "required", "--log"]
