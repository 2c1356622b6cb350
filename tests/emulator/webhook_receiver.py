"""A receiver of webhooks that answers as it is told to."""
import http.server
import json
import queue
import threading

WAIT_S = 10


class Receiver:
    """`answers` are statuses, or functions of the handler, for the first requests; later ones get 200."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.got = queue.Queue()
        self.running, self.most_at_once = 0, 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                receiver.serve(self)

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/webhook"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, handler):
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        body = handler.rfile.read(int(handler.headers["content-length"]))
        answer = self.answers.pop(0) if self.answers else 200
        self.running -= 1
        self.got.put((handler.headers, body))
        if callable(answer):
            answer(handler)
        else:
            handler.send_response(answer)
            handler.send_header("content-length", "0")
            handler.end_headers()

    def next(self):
        """(headers, body) of the next request."""
        return self.got.get(timeout=WAIT_S)

    def events(self, count):
        return [json.loads(self.next()[1]) for _ in range(count)]

    def nothing_more(self):
        return self.got.empty()
