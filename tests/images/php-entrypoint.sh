#!/bin/sh
# PHP's FastCGI server with two workers.
set -e
cat > /tmp/php-fpm.conf <<END
[global]
error_log = /proc/self/fd/2
daemonize = no
[www]
listen = 127.0.0.1:$PORT
user = www-data
group = www-data
pm = static
pm.max_children = 2
clear_env = no
catch_workers_output = yes
decorate_workers_output = no
END
# What dates from 1970 is not cached.
touch -d 2020-01-01 /srv/index.php
# The packages' installation scripts, which have not run, would have named these extensions.
exec /usr/sbin/php-fpm[0-9]* -d zend_extension=opcache -d extension=posix --fpm-config /tmp/php-fpm.conf --nodaemonize
