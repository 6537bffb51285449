"""Serves TLS as any Python server does: nothing in it knows of attestation but the two paths."""

import http.server
import ssl


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from inside\n")

    def log_message(self, *_):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/dev/attestation/tls/cert.pem", "/dev/attestation/tls/key.pem")
server = http.server.HTTPServer(("127.0.0.1", 0), Hello)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
