"""The runner's API, for whoever shows a certificate of its authority: GET /status, POST /backup, /restore-test, /check."""

import json
import os
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

from .state import State

TLS = os.environ.get("BACKUP_TLS", "/tls-backup")
PORT = int(os.environ.get("BACKUP_PORT", "8433"))
TYPES = {"full": "full", "differential": "diff", "incremental": "incr"}


def serve(state: State) -> None:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/status":
                self.answer(200, state.read())
            else:
                self.answer(404, {"error": "GET /status"})

        def do_POST(self) -> None:
            url = urlparse(self.path)
            job = url.path.strip("/")
            kind = parse_qs(url.query).get("type", ["incremental"])[0]
            if job == "backup" and kind in TYPES:
                state.ask({"job": "backup", "type": TYPES[kind]})
            elif job in ("restore-test", "check"):
                state.ask({"job": job})
            else:
                self.answer(400, {"error": f"POST /backup?type={'|'.join(TYPES)}, /restore-test or /check"})
                return
            self.answer(202, {"accepted": job})

        def answer(self, status: int, body: dict) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args) -> None:
            pass

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=f"{TLS}/ca.crt")
    context.load_cert_chain(f"{TLS}/tls.crt", f"{TLS}/tls.key")
    context.verify_mode = ssl.CERT_REQUIRED
    # Strict also asks for extensions that say nothing about trust.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def finish_request(self, request, client_address) -> None:
            # In the thread of the connection: one that never speaks holds up nobody else.
            request.settimeout(10)
            super().finish_request(context.wrap_socket(request, server_side=True), client_address)

        def handle_error(self, request, client_address) -> None:
            pass

    server = Server(("0.0.0.0", PORT), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
