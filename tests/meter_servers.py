"""A meter's web server on the loopback interface, which answers as it is told."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, bytes, Mapping[str, str]]


def json(text: str) -> Answer:
    return 200, text.encode(), {}


@contextmanager
def serving(answers: Callable[[str, Mapping[str, str]], Answer]) -> Iterator[str]:
    """Address of a server that answers (path with query, headers).

    What was posted stands among the headers, as `:body`.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            self._answer({":body": self.rfile.read(size).decode()})

        def _answer(self, more: Mapping[str, str]) -> None:
            asked = {**dict(self.headers), **more}
            status, body, headers = answers(self.path, asked)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
