# One image for web server, worker and `prepare`; docker-compose.yml says which command each runs.
FROM python:3.11-slim-bookworm AS dependencies
COPY requirements/run.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r run.txt

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin apinita
COPY --from=dependencies /venv /venv
COPY . /app
WORKDIR /app
RUN /venv/bin/python -m compileall -q /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=apinita.settings APINITA_DATA=/tmp/apinita
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["granian", "--interface", "wsgi", "--http", "1", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "32", "--no-ws", "--workers-kill-timeout", "10", "--respawn-failed-workers", \
     "--log-level", "error", "apinita.wsgi:application"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
