"""A FastCGI client that sends every record by hand, so that it can send wrong ones too.

FastCGI specification 1.0, section 3 (records) and 5 (application records).
"""
import dataclasses
import socket
import struct

BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, GET_VALUES_RESULT = \
    range(1, 11)
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
KEEP_CONNECTION = 1
CONTENT_MAXIMUM = 65535
LIMIT_S = 30  # of every wait


def record(kind, content=b"", request_id=1, padding=0):
    return struct.pack("!BBHHBx", 1, kind, request_id, len(content), padding) + content + bytes(padding)


def begin(keep=False, role=RESPONDER, request_id=1):
    return record(BEGIN_REQUEST, struct.pack("!HB5x", role, KEEP_CONNECTION if keep else 0), request_id)


def pairs(parameters):
    def length(text):
        return bytes([len(text)]) if len(text) < 128 else struct.pack("!I", len(text) | 1 << 31)

    encoded = b""
    for name, value in parameters.items():
        name, value = name.encode(), value.encode()
        encoded += length(name) + length(value) + name + value
    return encoded


def stream(kind, content, request_id=1):
    """The content in records, without the empty one that ends it."""
    pieces = range(0, len(content), CONTENT_MAXIMUM)
    return b"".join(record(kind, content[at:at + CONTENT_MAXIMUM], request_id) for at in pieces)


def head(method, uri, keep=False, request_id=1, **parameters):
    """A request up to its body. A parameter that is None is left out."""
    parameters = {"REQUEST_METHOD": method, "REQUEST_URI": uri} | parameters
    given = {name: value for name, value in parameters.items() if value is not None}
    return (begin(keep, request_id=request_id) + stream(PARAMS, pairs(given), request_id) +
            record(PARAMS, request_id=request_id))


def body(content, request_id=1):
    return stream(STDIN, content, request_id) + record(STDIN, request_id=request_id)


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes
    protocol_status: int


def parse_answer(output, protocol_status=0):
    """What a CGI program wrote."""
    lines, _, content = output.partition(b"\r\n\r\n")
    headers = {}
    for line in lines.decode().split("\r\n"):
        name, _, value = line.partition(": ")
        assert name not in headers, f"{name} twice"
        headers[name] = value
    status, _, phrase = headers.pop("Status").partition(" ")
    assert phrase, "a status without a phrase"
    return Answer(int(status), headers, content, protocol_status)


class Connection:
    def __init__(self, address):
        kind, _, path = address.partition(":")
        if kind == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(LIMIT_S)
            self.socket.connect(path)
        else:
            host, _, port = address.rpartition(":")
            self.socket = socket.create_connection((host, int(port)), LIMIT_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, content):
        self.socket.sendall(content)

    def read_exactly(self, size):
        content = b""
        while len(content) < size:
            piece = self.socket.recv(size - len(content))
            if not piece:
                raise EOFError(f"closed after {len(content)} of {size} bytes")
            content += piece
        return content

    def read_record(self):
        """(kind, request id, content)"""
        version, kind, request_id, length, padding = struct.unpack("!BBHHBx", self.read_exactly(8))
        assert version == 1
        content = self.read_exactly(length + padding)
        return kind, request_id, content[:length]

    def read_answer(self):
        output = []
        while True:
            kind, _, content = self.read_record()
            if kind == END_REQUEST:
                return parse_answer(b"".join(output), content[4])
            assert kind == STDOUT, f"record {kind}: {content!r}"
            output.append(content)

    def is_closed(self):
        """Waits for the peer to close, or to send something."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def ask(self, method, uri, content=b"", **options):
        self.send(head(method, uri, **options) + body(content))
        return self.read_answer()


def ask(address, method, uri, content=b"", **options):
    with Connection(address) as connection:
        return connection.ask(method, uri, content, **options)
