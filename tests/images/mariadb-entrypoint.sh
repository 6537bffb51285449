#!/bin/sh
# In the manner of the official image: the drop to the user mysql, the system tables, the server.
set -e
data=/var/lib/mysql
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$data" /run/mysqld
    find "$data" /run/mysqld \! -user mysql -exec chown mysql: '{}' +
    exec gosu mysql sh "$0" "$@"
fi
if [ ! -d "$data/mysql" ]; then
    mariadb-install-db --datadir="$data" --auth-root-authentication-method=normal --skip-test-db
    cat > /tmp/init.sql <<END
CREATE USER pearl@'%' IDENTIFIED BY 'nacre';
GRANT ALL ON *.* TO pearl@'%';
CREATE DATABASE oyster;
END
    set -- "$@" --init-file=/tmp/init.sql
fi
exec "$@"
