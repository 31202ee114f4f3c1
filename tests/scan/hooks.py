"""Configures schemathesis for this API: generators of realistic values, and which responses are failures."""

import atexit
import json
import os
import string
import urllib.request
from collections import Counter
from datetime import timezone
from pathlib import Path

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

URL = os.environ["SCAN_URL"]
TOKEN = os.environ["SCAN_TOKEN"]
PLACE = Path(os.environ["SCAN_PLACE"])

# Allowed error codes. Any other, above all INTERNAL, is a fault of the service.
REFUSED = {
    "BAD_USER_INPUT",
    "COST_EXCEEDED",
    "FORBIDDEN",
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "NOT_FOUND",
    "RATE_LIMITED",
    "UNAUTHENTICATED",
}

THERE = """{
  meetings(first: 20) { nodes { id broadcasts { id } comments(first: 10) { nodes { id } } } }
  live: meetings(first: 1, filter: { phases: [LIVE] }) { nodes { id } }
  regions(first: 50) { nodes { id code } pageInfo { startCursor endCursor } }
  soonest: meetings(first: 1) { pageInfo { startCursor } }
}"""
HOST = "751110000"
POST = "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id } } }"


def ask(query, variables=None):
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
    with urllib.request.urlopen(urllib.request.Request(URL, body, headers)) as answer:
        return json.load(answer)["data"]


def there():
    """Returns existing ids by kind, codes of regions, and cursors. Posts some comments first."""
    (live,) = ask(THERE)["live"]["nodes"]
    for n in range(5):
        ask(POST, {"input": {"meetingId": live["id"], "body": f"Сұрақ {n}"}})["postComment"]["comment"]["id"]
    data = ask(THERE)
    meetings, regions = data["meetings"]["nodes"], data["regions"]["nodes"]
    comments = [comment for meeting in meetings for comment in meeting["comments"]["nodes"]]
    others = [*regions[:3], *(broadcast for meeting in meetings for broadcast in meeting["broadcasts"])]
    ids = [[thing["id"] for thing in things] for things in ([live], meetings, comments, others)]
    cursors = [*data["regions"]["pageInfo"].values(), *data["soonest"]["pageInfo"].values()]
    return ids, [region["code"] for region in regions], cursors


def remembered(name, make):
    """Returns the value stored by an earlier round of this scan, or the result of `make`."""
    file = PLACE / name
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else make()


def remember(name, value):
    (PLACE / name).write_text(json.dumps(value, indent=1), encoding="utf-8")


# Shared with later rounds, because a round may end the live meeting.
IDS, CODES, CURSORS = remembered("there.json", there)
remember("there.json", [IDS, CODES, CURSORS])

hostile = st.text(max_size=300) | st.sampled_from(["", "\u0000", "'; drop table comments; --", "%_\\", "\u202e", "9" * 400])
known = st.one_of([st.sampled_from(kind) for kind in IDS])
near = known.flatmap(lambda known: st.sampled_from([known[:-1], known + "0", known.upper()]))
digits = st.text(alphabet=string.digits, min_size=9, max_size=9)
moments = st.datetimes(timezones=st.just(timezone.utc)).map(lambda moment: moment.isoformat().replace("+00:00", "Z"))
edges = st.sampled_from(["0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2016-12-31T23:59:60Z"])
zones = st.sampled_from(["2026-03-02T09:00:00+05:00", "2026-03-02T09:00:00-23:59", "+262142-12-31T23:59:59Z"])
# Often within the limits of pages and dates, so that execution is reached too.
pages = st.integers(0, 100)
words = st.text(alphabet=string.ascii_letters + "әіңғүұқөһ ", min_size=1, max_size=40)


def register(name, strategies, node):
    """Generates values of a scalar from strategies, weighted by how often each is listed."""
    schemathesis.graphql.scalar(name, st.one_of(strategies).map(node))


register("ID", [known, known, known, known, near, hostile], nodes.String)
register("KatoCode", [st.just(HOST), st.just(HOST), st.sampled_from(CODES), digits, hostile], nodes.String)
register("Date", [st.dates().map(str), st.dates().map(str), hostile], nodes.String)
register("DateTime", [moments, moments, moments, edges, zones, hostile], nodes.String)
register("Int", [pages, pages, st.integers(-(2**31), 2**31 - 1)], nodes.Int)
register("String", [words, words, st.sampled_from(CURSORS), hostile], nodes.String)

tally = Counter(remembered("tally.json", dict))


@schemathesis.check
def the_service_holds(ctx, response, case):
    """No response is an internal error."""
    tally["answers"] += 1
    assert response.status_code < 500, f"status {response.status_code}"
    answer = response.json()
    errors = answer.get("errors") or []
    codes = {error.get("extensions", {}).get("code") for error in errors}
    for code in codes:
        tally[str(code)] += 1
    assert codes <= REFUSED, f"codes {codes - REFUSED}: {errors}"
    data = answer.get("data") or {}
    tally["read"] += bool(data) and case.operation.label.startswith("Query.")
    for payload in data.values() if case.operation.label.startswith("Mutation.") else ():
        refusal = payload and payload.get("refusal")
        tally["refused" if refusal else "mutated"] += bool(payload)


@atexit.register
def write():
    remember("tally.json", tally)
