#!/bin/sh
# Starts PostgreSQL in a container, of the published image or of ours: a primary, or with the primary's host as argument
# a streaming replica of it. The data directory is made elsewhere and renamed, so that one that is there is whole.
set -eu
primary=${1:-}
PATH=/usr/lib/postgresql/15/bin:$PATH
data=/data/pgdata
settings="-c config_file=/etc/postgres/postgresql.conf -c hba_file=$data/pg_hba.conf"

make_primary() {
  initdb --pgdata "$data.part" --username postgres --encoding UTF8 --locale C --auth-local peer \
    --auth-host scram-sha-256 --data-checksums
  echo "host replication replication all scram-sha-256" >>"$data.part/pg_hba.conf"
  echo "host app app all scram-sha-256" >>"$data.part/pg_hba.conf"
  # one statement a line, which is how a server without a network reads them
  postgres --single -D "$data.part" postgres <<'SQL'
CREATE ROLE app LOGIN
CREATE ROLE replication LOGIN REPLICATION
CREATE DATABASE app OWNER app
SQL
}

# At each start: the data may be older than the Secret.
set_passwords() {
  # shellcheck disable=SC2086 # words
  postgres --single -D "$data" $settings postgres <<SQL
ALTER ROLE app PASSWORD '$APP_PASSWORD'
ALTER ROLE replication PASSWORD '$REPLICATION_PASSWORD'
SQL
}

copy_from_primary() {
  until pg_basebackup --host "$primary" --username replication --no-password --pgdata "$data.part" \
    --wal-method stream --checkpoint fast; do
    rm -rf "$data.part"
    sleep 1
  done
  : >"$data.part/standby.signal"
}

if [ -n "$primary" ]; then export PGPASSWORD="$REPLICATION_PASSWORD"; fi
if [ ! -e "$data/PG_VERSION" ]; then
  rm -rf "$data.part"
  if [ -n "$primary" ]; then copy_from_primary; else make_primary; fi
  mv "$data.part" "$data"
fi
# shellcheck disable=SC2086 # words
if [ -n "$primary" ]; then
  exec postgres -D "$data" $settings -c primary_conninfo="host=$primary user=replication application_name=$POD"
fi
set_passwords
# shellcheck disable=SC2086 # words
exec postgres -D "$data" $settings
