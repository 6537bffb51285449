<?php
// What workers share is the cache of compiled scripts; the rest is each one's own.
$lines = ["worker " . getmypid(), "user " . posix_getuid(), "method " . $_SERVER["REQUEST_METHOD"]];
$lines[] = "body " . strtoupper(file_get_contents("php://input"));
$lines[] = "child " . trim(shell_exec("echo \$PPID"));
$status = opcache_get_status(false);
$lines[] = "cached " . ($status && $status["opcache_statistics"]["num_cached_scripts"] > 0 ? "yes" : "no");
header("Content-Type: text/plain");
echo implode("\n", $lines), "\n";
