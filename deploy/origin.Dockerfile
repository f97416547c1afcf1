# A real server for the demo cluster: nginx that answers with its host name, unprivileged.
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends curl nginx-light \
 && rm -rf /var/lib/apt/lists/*
COPY origin.conf /etc/nginx/nginx.conf
USER www-data
CMD ["nginx", "-e", "stderr"]
