"""What the benchmark's apps are asked to do, as metrics: demand{app="app-001"} 8.1, one line an app.

    demand.py APPS BEFORE AFTER     prints its port, then serves until it is ended

GET /metrics is for Prometheus. POST /step switches every app from BEFORE to AFTER at once and answers with the
instant on this machine's monotonic clock. Values wobble by 2 %, as real ones do, so that nothing is constant.
"""
import random
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Demand(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    names = []
    value = 0.0
    after = 0.0

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        lines = [f'demand{{app="{name}"}} {Demand.value * random.uniform(0.98, 1.02):.3f}\n' for name in Demand.names]
        self.answer("".join(lines).encode())

    def do_POST(self):
        Demand.value = Demand.after
        self.answer(repr(time.monotonic()).encode())

    def log_message(self, *arguments):
        pass


if __name__ == "__main__":
    Demand.names = [f"app-{i:03d}" for i in range(int(sys.argv[1]))]
    Demand.value, Demand.after = float(sys.argv[2]), float(sys.argv[3])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Demand)
    print(server.server_address[1], flush=True)
    server.serve_forever()
