"""Calls the emulator's APIs as a client of theirs would."""
import base64
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from customerio import request  # noqa: E402


class Caller:
    """Calls the APIs with an account's credentials; the answer is (status, JSON)."""

    def __init__(self, emulator, account):
        self.emulator, self.account = emulator, account
        self.headers = {"track": {"Authorization": basic(account.site_id, account.track_key)},
                        "app": {"Authorization": f"Bearer {account.app_key}"},
                        "pipelines": {"Authorization": basic(account.pipelines_key, "")}}

    def whole(self, api, method, path, body=None, region="us", headers=None):
        base = getattr(self.emulator, region)[api]
        return request(base, method, path, body, self.headers[api] | (headers or {}))

    def __call__(self, *words, **options):
        status, _, text = self.whole(*words, **options)
        return status, json.loads(text) if text else None

    def identify(self, identifier, **attributes):
        return self("track", "PUT", f"/api/v1/customers/{identifier}", attributes)

    def item(self, action, type="person", **item):
        return self("track", "POST", "/api/v2/entity", {"type": type, "action": action, **item})

    def strict(self, call, body, **headers):
        return self("pipelines", "POST", f"/v1/{call}", body, headers={"X-Strict-Mode": "1"} | headers)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
