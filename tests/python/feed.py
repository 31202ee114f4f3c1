"""Reads an Atom feed as the parser `feedparser` does, and reports what it found. Argument: the address."""

import json
import sys

import feedparser

feed = feedparser.parse(sys.argv[1])
entries = [{"id": entry.id, "title": entry.title, "link": entry.link, "updated": entry.updated} for entry in feed.entries]
print(json.dumps({"bozo": bool(feed.bozo), "version": feed.version, "id": feed.feed.id, "title": feed.feed.title, "entries": entries}))
