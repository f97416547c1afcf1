# l7lb with its compiled hot path: a stage with the compiler, and a lean one that runs.
FROM debian:bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev libldap-dev libsasl2-dev python3-dev python3-venv \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/l7lb
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY protocols ./protocols
COPY storage ./storage
COPY l7lb ./l7lb
RUN /opt/l7lb/bin/pip install --no-cache-dir ".[ldap]"

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libldap-2.5-0 python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10007 --home-dir /nonexistent --shell /usr/sbin/nologin l7lb \
 && install -d -o l7lb -m 0700 /var/lib/l7lb
COPY --from=build /opt/l7lb /opt/l7lb
ENV PATH=/opt/l7lb/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER l7lb
CMD ["l7lb", "--help"]
