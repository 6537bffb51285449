#!/bin/sh
# Two services of runit: one that serves, as another user, and one that dies and is started again.
set -e
mkdir -p /services/web /services/mortal
cat > /services/web/run <<END
#!/bin/sh
exec 2>&1
exec chpst -u www-data busybox httpd -f -p 127.0.0.1:$PORT -h /srv
END
cat > /services/mortal/run <<END
#!/bin/sh
echo "mortal lives"
sleep 1
exit 3
END
cat > /services/mortal/finish <<END
#!/bin/sh
echo "mortal ended with \$1"
END
chmod +x /services/*/run /services/*/finish
exec runsvdir -P /services
