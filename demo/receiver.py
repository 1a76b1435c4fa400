"""The receiver everyone should write: it knows who speaks, and does a thing once however often it is told."""

import hmac
import os
import sqlite3
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import closing
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Effect = Callable[[sqlite3.Connection, Message, bytes], None]


def is_genuine(secret: str, headers: Message, body: bytes, now: float) -> bool:
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or len(timestamp) > 12 or abs(now - int(timestamp)) > 300:
        return False  # an old request may be a recording, played back
    content = f"{headers['webhook-id']}.{timestamp}.".encode() + body
    expected = hmac.digest(b64decode(secret.removeprefix("whsec_")), content, "sha256")
    given = headers.get("webhook-signature", "").encode().split()  # two while the sender changes its secret
    return any(hmac.compare_digest(b"v1," + b64encode(expected), signature) for signature in given)


def do_once(path: str, headers: Message, body: bytes, effect: Effect) -> bool:
    """Keeps the id and its effect in one transaction: both or neither. False when the id was known."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS received (id TEXT PRIMARY KEY)")
        added = database.execute("INSERT OR IGNORE INTO received VALUES (?)", [headers["webhook-id"]])
        if is_new := added.rowcount == 1:
            effect(database, headers, body)  # if it raises, nothing was received: Weir will tell us again
    return is_new


class Door(BaseHTTPRequestHandler):
    server: "Receiver"
    timeout = 10  # seconds; whoever stalls longer is hung up on

    def do_POST(self) -> None:
        if len(size := self.headers.get("content-length", "")) > 6 or not size.isdecimal():
            return self.send_error(413)
        body = self.rfile.read(int(size))
        if not is_genuine(self.server.secret, self.headers, body, time.time()):
            return self.send_error(401)
        is_new = do_once(self.server.path, self.headers, body, self.server.effect)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"done" if is_new else b"known: it was done before")


class Receiver(ThreadingHTTPServer):
    def __init__(self, port: int, secret: str, path: str, effect: Effect) -> None:
        self.secret, self.path, self.effect = secret, path, effect
        super().__init__(("127.0.0.1", port), Door)


if __name__ == "__main__":
    secret, effect = os.environ["WEBHOOK_SECRET"], lambda database, headers, body: print(body.decode())
    Receiver(9000, secret, "received.sqlite3", effect).serve_forever()
