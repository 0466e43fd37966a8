"""A receiver of webhooks to look at: prints the title and the lines of every message it is sent.

python docs/webhook.py [PORT]     (8787 unless named)
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Receiver(BaseHTTPRequestHandler):
    """Takes posts of JSON with `title` and `message`, as apprise's `json://` sends them."""

    def do_POST(self) -> None:
        """Prints one message, and says that it was taken."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sys.stdout.write(f"{body['title']}\n{body['message']}\n")
        sys.stdout.flush()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing but the messages is printed."""


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8787
    with HTTPServer(("127.0.0.1", port), Receiver) as server:
        server.serve_forever()
