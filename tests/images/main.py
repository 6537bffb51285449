"""A small service: it stores what it is told in SQLite and answers over HTTP, JSON and TLS."""

import hashlib
import http.server
import json
import os
import socket
import sqlite3
import ssl
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor


def database():
    with sqlite3.connect("/tmp/pearls.db") as connection:
        connection.execute("create table pearls (name text primary key, weight real)")
        connection.executemany("insert into pearls values (?, ?)", [(f"pearl-{i:04}", i / 7) for i in range(1000)])
        connection.execute("create index by_weight on pearls (weight)")
    with sqlite3.connect("/tmp/pearls.db") as connection:
        total, heaviest = connection.execute("select round(sum(weight), 3), max(name) from pearls").fetchone()
    print("sqlite3:", total, heaviest)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"sum": sum(request["numbers"]), "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def web():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def ask(i):
        url = f"http://127.0.0.1:{server.server_port}/sum/{i}"
        body = json.dumps({"numbers": list(range(i))}).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body)) as response:
            return json.load(response)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(40)))
    print("http.server:", sum(answer["sum"] for answer in answers), answers[-1]["path"])
    server.shutdown()


def tls():
    """A handshake without certificates, and a message each way."""
    listener = socket.create_server(("127.0.0.1", 0))

    def context(purpose):
        made = ssl.SSLContext(purpose)
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        made.maximum_version = ssl.TLSVersion.TLSv1_2
        made.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
        return made

    def serve():
        with context(ssl.PROTOCOL_TLS_SERVER).wrap_socket(listener.accept()[0], server_side=True) as connection:
            connection.sendall(connection.recv(100).upper())

    server = threading.Thread(target=serve)
    server.start()
    plain = socket.create_connection(listener.getsockname())
    with context(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(plain) as connection:
        connection.sendall(b"nacre")
        print("ssl:", connection.version(), connection.recv(100).decode())
    server.join()


def threads():
    lock, total = threading.Lock(), 0

    def work(n):
        nonlocal total
        for i in range(1000):
            with lock:
                total += i % n

    workers = [threading.Thread(target=work, args=(n,)) for n in range(1, 9)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print("threading:", total)


def files():
    os.makedirs("/tmp/a/b", exist_ok=True)
    with open("/tmp/a/b/file", "wb") as file:
        file.write(bytes(range(256)) * 1000)
    with open("/tmp/a/b/file", "rb") as file:
        print("hashlib:", hashlib.file_digest(file, "sha256").hexdigest()[:16], os.path.getsize("/tmp/a/b/file"))


database()
web()
tls()
threads()
files()
