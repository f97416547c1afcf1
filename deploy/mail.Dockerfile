# Debian's etcd, slapd and Dovecot, each started by docker-compose.yml as one role, unprivileged.
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      dovecot-imapd dovecot-lmtpd dovecot-pop3d etcd-server slapd \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10008 --home-dir /nonexistent --shell /usr/sbin/nologin role \
 && install -d -o role -g role -m 0700 /srv/mail /srv/etcd /srv/ldap
COPY dovecot.conf master-users /etc/dovecot/
USER role
