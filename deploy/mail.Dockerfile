# Debian's etcd, slapd, Dovecot and Postfix; docker-compose.yml starts each as one role, and all but
# Postfix unprivileged.
FROM debian:bookworm-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      dovecot-imapd dovecot-ldap dovecot-lmtpd dovecot-pop3d etcd-server postfix slapd \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10008 --home-dir /nonexistent --shell /usr/sbin/nologin role \
 && install -d -o role -g role -m 0700 /srv/mail /srv/etcd /srv/ldap
COPY dovecot.conf dovecot-ldap.conf master-users /etc/dovecot/
COPY postfix.cf /etc/postfix/main.cf
COPY postfix-services.cf /etc/postfix/master.cf
USER role
