"""A Customer.io of one's own: the emulator of tests/emulator, started and steered.

    with Emulator() as cio:
        account = cio.account(topics=[{"id": 7, "name": "Offers"}], people=[{"email": "a@example.com"}])
        stack = new_stack(**cio.variables())
        cio.fault(api="app", path="/v1/customers", count=2, do={"status": 500})
        ...
        assert cio.received(api="app", path="/v1/exports")

What can be said to it stands in tests/emulator/README.md.
"""
import http.client
import json
import pathlib
import subprocess
import urllib.parse

EMULATOR = pathlib.Path(__file__).resolve().parents[1] / "emulator" / "emulator.mjs"
END_S = 10
APIS = ("track", "app", "pipelines")


class Refused(Exception):
    """The control API did not do what it was asked to."""


class Emulator:
    def __init__(self, listen="127.0.0.1:0"):
        self.listen = listen
        self.process = None

    def start(self):
        # Should the tests be killed, this ends too.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "node", EMULATOR, "--listen", self.listen],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, f"the emulator ended with {self.process.wait(END_S)}"
        urls = json.loads(line)
        self.control, self.us, self.eu = urls["control"], urls["us"], urls["eu"]
        return self

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(END_S)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *error):
        self.stop()

    def variables(self):
        """What makes a Stack talk to this Customer.io."""
        return ({f"CIOBRIDGE_{api.upper()}_URL": self.us[api] for api in APIS} |
                {f"CIOBRIDGE_{api.upper()}_URL_EU": self.eu[api] for api in APIS})

    def call(self, method, path, body=None, /, **query):
        """A call of the control API: the answer's JSON, or None where there is none."""
        target = f"/_control{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        status, _, text = request(self.control, method, target, body)
        if status >= 400:
            raise Refused(f"{method} {target}: {status} {text.decode()}")
        return json.loads(text) if text else None

    def account(self, name="shop", **settings):
        """A new account in place of one of the same name; credentials that are not given are made up."""
        return Account(self, self.call("POST", "/accounts", {"name": name, **settings}))

    def fault(self, **rule):
        """Something goes wrong from now on; the id is for heal()."""
        return self.call("POST", "/faults", rule)["id"]

    def faults(self):
        return self.call("GET", "/faults")["faults"]

    def heal(self, fault=None):
        self.call("DELETE", f"/faults/{fault}" if fault else "/faults")

    def received(self, **wanted):
        """Requests in their order: number, at, api, region, method, target, path, headers, body (text), status."""
        return self.call("GET", "/received", limit=1_000_000, **wanted)["items"]

    def forget_received(self):
        self.call("DELETE", "/received")

    def rates(self, api="app", window_ms=1000, accepted=False):
        """{"total", "per_second": {second: count}, "most_in_window"}; `accepted` leaves those out that got a 429."""
        return self.call("GET", "/rates", api=api, window_ms=window_ms, accepted=int(accepted))

    def advance(self, seconds):
        """Turns the emulator's clock forward."""
        self.call("POST", "/clock", {"advance_s": seconds})

    def now(self):
        return self.call("GET", "/clock")["now"]

    def reset(self):
        """As after the start."""
        self.call("POST", "/reset")


class Account:
    def __init__(self, emulator, described):
        self.emulator = emulator
        self.name, self.region = described["name"], described["region"]
        self.site_id, self.track_key = described["site_id"], described["track_key"]
        self.app_key, self.pipelines_key = described["app_key"], described["pipelines_key"]

    def call(self, method, path="", body=None, **query):
        return self.emulator.call(method, f"/accounts/{urllib.parse.quote(self.name, safe='')}{path}", body, **query)

    def describe(self):
        return self.call("GET")

    def configure(self, **settings):
        described = self.call("PATCH", "", settings)
        self.__init__(self.emulator, described)
        return described

    def add_people(self, *people, generate=None):
        return self.call("POST", "/people", {"people": people, "generate": generate or []})["people"]

    def add_delivery(self, **delivery):
        self.call("POST", "/deliveries", delivery)

    def person(self, **identifier):
        """By id, email, phone or cio_id; None for nobody."""
        found = self.call("GET", "/people", **identifier)["items"]
        return found[0] if found else None

    def people(self, start=0, limit=1000):
        return self.call("GET", "/people", start=start, limit=limit)["items"]

    def events(self, **wanted):
        """In their order, by id, email, anonymous_id, name."""
        return self.call("GET", "/events", limit=1_000_000, **wanted)["items"]

    def objects(self):
        return self.call("GET", "/objects")["items"]

    def suppressed(self):
        return self.call("GET", "/suppressed")

    def problems(self):
        """What was answered with success and yet not done."""
        return self.call("GET", "/problems", limit=1_000_000)["items"]

    def deliveries(self):
        return self.call("GET", "/deliveries")["items"]

    def set_webhook(self, **settings):
        """Makes the reporting webhook or changes it: endpoint, signing_key, with_content, events, disabled, …"""
        return self.call("PUT", "/webhook", settings)

    def webhook(self):
        """Its settings, and pending, delivered, given_up, state, next_attempt_at."""
        return self.call("GET", "/webhook")

    def webhook_attempts(self):
        return self.call("GET", "/webhook/attempts")["items"]

    def report(self, *events):
        """Sends events by the webhook, and returns them as they go out. `person` in one gives it that person's data."""
        return self.call("POST", "/webhook/events", {"events": events})["events"]


def request(base, method, target, body=None, headers=None, timeout_s=60):
    """(status, headers, body) of a request to one of the base URLs. A body that is not bytes is sent as JSON."""
    place = urllib.parse.urlsplit(base)
    headers = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=timeout_s)
    try:
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()
