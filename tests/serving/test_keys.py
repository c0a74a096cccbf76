"""Keys, roles and limits: what nobody may, nobody can, on any route."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from features.tables.audit import Audit
from features.tables.privacy import Pseudonyms
from features.workspace import Workspace
from serving import keys as keys_module
from serving.app import create_app
from serving.guard import Buckets
from serving.keys import ROLES, KeyRing, add_key, keys_path, read_keys, revoke_key
from serving.logs import Log
from serving.opening import open_service
from serving.roles import ALLOWED, OPEN
from tests.conftest import Ran

FILLED = {"{customer_id:path}": "C10001", "{code:path}": "A", "{dimension}": "value", "{class}": "A"}
TODAY = datetime.now(UTC).date()
SECRET_ID = "telling-customer-id-77"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def audit(workspace: Workspace) -> Audit:
    return Audit(workspace.home / "audit.jsonl", "eva")


@pytest.fixture(scope="module")
def secrets(workspace: Workspace, audit: Audit) -> dict[str, str]:
    """A good key of each role, one of all, and three that are not good."""
    made = {role: add_key(workspace, audit, f"the {role}", [role], None) for role in ROLES}
    made["all"] = add_key(workspace, audit, "everything", ROLES, TODAY)
    made["expired"] = add_key(workspace, audit, "of yesterday", ROLES, TODAY - timedelta(days=1))
    made["revoked"] = add_key(workspace, audit, "lost", ROLES, None)
    revoke_key(workspace, audit, made["revoked"].split("_")[1])
    made["wrong"] = made["all"][:-1] + ("a" if made["all"][-1] != "a" else "b")
    return made


@pytest.fixture(scope="module")
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(scope="module")
def app(
    sample: Ran, workspace: Workspace, secrets: dict[str, str], pseudonyms: Pseudonyms, log: io.StringIO
) -> FastAPI:
    return create_app(open_service(sample.job), KeyRing(keys_path(workspace)), Log(pseudonyms, log))


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as found:
        yield found


def routes(app: FastAPI) -> list[tuple[str, str, str]]:
    """Method, path and template of every route."""
    found = []
    for route in app.routes:
        path = str(getattr(route, "path", ""))
        filled = (
            path.replace("{customer_id:path}", "C10001").replace("{code:path}", "A").replace("{dimension}", "value")
        )
        for method in sorted(getattr(route, "methods", ())):
            found.append((method, filled.replace("{class}", "A"), path))
    return found


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def test_every_route_has_a_line_in_the_table(app: FastAPI) -> None:
    """And the table has no line of a route that is not there."""
    assert {path for _, _, path in routes(app)} == set(ALLOWED)


def test_without_a_good_key_every_route_is_closed(app: FastAPI, client: TestClient, secrets: dict[str, str]) -> None:
    """Missing, wrong, expired, revoked, of another kind: 401, and nothing else is told."""
    closed = [(method, path) for method, path, template in routes(app) if template not in OPEN]
    assert len(closed) > 15
    bad = [{}, {"authorization": secrets["all"]}, {"authorization": f"Basic {secrets['all']}"}, bearer("")]
    bad += [bearer(secrets[name]) for name in ("wrong", "expired", "revoked")]
    for method, path in closed:
        for headers in bad:
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
            if method != "HEAD":
                assert answer.json() == {**answer.json(), "title": "A good key is needed", "errors": []}


def test_another_roles_key_opens_nothing(app: FastAPI, client: TestClient, secrets: dict[str, str]) -> None:
    """Each route with the key of each role: 403 but for those of its line."""
    for method, path, template in routes(app):
        allowed = ALLOWED[template]
        for role in ROLES:
            status = client.request(method, path, headers=bearer(secrets[role])).status_code
            if allowed is None or role in allowed:
                assert status not in (401, 403)
            else:
                assert status == 403


def test_keys_are_compared_in_constant_time(
    workspace: Workspace, secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hmac.compare_digest, known id or not."""
    seen: list[tuple[Any, Any]] = []
    compare = keys_module.hmac.compare_digest
    monkeypatch.setattr(keys_module.hmac, "compare_digest", lambda a, b: seen.append((a, b)) or compare(a, b))
    ring = KeyRing(keys_path(workspace))
    assert ring.caller(secrets["score"]) is not None
    assert ring.caller("cs_00000000_x") is None and ring.caller("") is None
    assert len(seen) == 3


def test_no_secret_is_kept(workspace: Workspace, secrets: dict[str, str], audit: Audit) -> None:
    """Neither in the file, which is its owner's alone, nor in the audit log."""
    kept = keys_path(workspace).read_text() + audit.path.read_text()
    assert not any(secret in kept or secret.split("_", 2)[2] in kept for secret in secrets.values())
    assert keys_path(workspace).stat().st_mode & 0o777 == 0o600
    assert len({key.digest for key in read_keys(keys_path(workspace))}) == 7


def test_keys_can_be_rotated_while_the_service_runs(
    client: TestClient, workspace: Workspace, audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new one is good before the old one ends."""
    monkeypatch.setattr(keys_module, "FRESH_SECONDS", 0.0)
    old = add_key(workspace, audit, "shop", ["read"], None)
    assert client.get("/v1/scheme", headers=bearer(old)).status_code == 200
    new = add_key(workspace, audit, "shop", ["read"], None)
    assert [client.get("/v1/scheme", headers=bearer(each)).status_code for each in (old, new)] == [200, 200]
    revoke_key(workspace, audit, old.split("_")[1])
    assert [client.get("/v1/scheme", headers=bearer(each)).status_code for each in (old, new)] == [401, 200]


def test_what_only_aml_may_write_others_cannot(client: TestClient, secrets: dict[str, str]) -> None:
    """A list hit is no event of a shop."""
    event = {"ts": "2026-10-01T10:00:00Z", "kind": "list_hit"}
    sent = {"customer_id": "C10001", "events": [event]}
    assert client.post("/v1/events", json=sent, headers=bearer(secrets["score"])).status_code == 403


def test_every_answer_has_its_headers(client: TestClient, secrets: dict[str, str]) -> None:
    """Good or bad; the id of the request is the caller's own where it can be one."""
    for headers in ({}, bearer(secrets["all"])):
        answer = client.get("/v1/scheme", headers={**headers, "x-request-id": "abc-1"})
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-request-id"] == "abc-1" and "server" not in answer.headers
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert client.get("/healthz", headers={"x-request-id": "a b\n"}).headers["x-request-id"] != "a b\n"


def test_problems_have_one_shape(client: TestClient, secrets: dict[str, str]) -> None:
    """Of the service, of the framework, and of nonsense."""
    key = bearer(secrets["all"])
    asked: list[tuple[int, httpx.Response]] = [
        (404, client.get("/nowhere", headers=key)),
        (405, client.delete("/v1/scheme", headers=key)),
        (400, client.post("/v1/score", content=b"{", headers=key)),
        (400, client.post("/v1/score", content=b'{"customer_id": "x", "customer_id": "y"}', headers=key)),
        (422, client.post("/v1/score", json={"customer_id": "x", "events": [{"kind": "buy"}]}, headers=key)),
        (413, client.post("/v1/score", content=b"x" * 20_000_001, headers=key)),
        (404, client.post(f"/v1/score/{SECRET_ID}", headers=key)),
        (422, client.post(f"/v1/score/C10001?as_of={SECRET_ID}", headers=key)),
    ]
    for status, answer in asked:
        assert answer.status_code == status and answer.headers["content-type"] == "application/problem+json"
        said = answer.json()
        assert set(said) == {"type", "title", "status", "detail", "errors"} and said["status"] == status
        assert SECRET_ID not in answer.text


def test_neither_log_nor_meters_name_anybody(client: TestClient, secrets: dict[str, str], log: io.StringIO) -> None:
    """Ids, attributes and amounts go through all routes; the log has a digest, the same for the same customer."""
    key = bearer(secrets["all"])
    event = {"ts": "2026-10-01T10:00:00Z", "kind": "purchase", "amount": 7_654_321, "item": "telling-item"}
    body = {"customer_id": SECRET_ID, "events": [event], "attributes": {"telling": "word"}}
    client.post("/v1/score", json=body, headers=key)
    for _ in range(2):
        client.get(f"/v1/customers/{SECRET_ID}", headers=key)
    client.get(f"/v1/customers/{SECRET_ID}/history?secret=word-of-a-query", headers=key)
    client.post("/v1/score/batch", content=json.dumps(body), headers=key)
    client.get(f"/{SECRET_ID}", headers=key)
    meters = client.get("/metrics", headers=key).text
    lines = log.getvalue()
    for word in (SECRET_ID, "telling", "7654321", "word-of-a-query", *secrets.values()):
        assert word not in lines and word not in meters
    said = [json.loads(line) for line in lines.splitlines()]
    named = [line["customer"] for line in said if line.get("route") == "/v1/customers/{customer_id:path}"]
    assert named[-1] == named[-2] and len(named[-1]) == 12
    assert 'route="/v1/score"' in meters and 'customer_scoring_answers_total{class="' in meters


def test_a_bucket_lets_through_what_it_holds() -> None:
    """The burst at once, then so many a second; each caller has its own; the memory has an end."""
    buckets = Buckets(per_second=2, burst=3)
    assert [buckets.take("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert buckets.take("b", 0.0)
    assert [buckets.take("a", 1.0) for _ in range(3)] == [True, True, False]
    for i in range(20_000):
        buckets.take(str(i), 2.0)
    assert len(buckets._left) <= 10_000
    assert all(Buckets(0, 1).take("a", 0.0) for _ in range(5))


def test_a_slow_body_is_given_up(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """408 once the time is over, though bytes still drip in."""
    from serving.guard import Guard
    from serving.meters import Meters

    async def reads(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass

    limits = app.state.limits.model_copy(update={"body_seconds": 1})
    guard = Guard(reads, limits, None, Log(Pseudonyms(b"x" * 32)), Meters())
    sent: list[Any] = []

    async def drip() -> dict[str, Any]:
        await asyncio.sleep(0.1)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/score", "client": ("1.2.3.4", 1), "headers": []}
    scope["headers"] = [(b"transfer-encoding", b"chunked")]
    asyncio.run(asyncio.wait_for(guard(scope, drip, send), 5))
    assert sent[0]["status"] == 408 and json.loads(sent[1]["body"])["status"] == 408


def test_a_key_has_a_role_and_a_name(workspace: Workspace, audit: Audit) -> None:
    """Anything else is a letter."""
    from features.errors import InputError

    for roles, name in ((["boss"], "x"), ([], "x"), (["read"], " ")):
        with pytest.raises(InputError):
            add_key(workspace, audit, name, roles, date(2030, 1, 1))
    with pytest.raises(InputError, match="the id of one that is good"):
        revoke_key(workspace, audit, "ffffffff")
