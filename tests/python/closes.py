"""Closes and breaks sockets as the client `websockets` does, and reports how the service ends them. Argument: the host."""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

URL = f"ws://{sys.argv[1]}/graphql"


def say(thing):
    print(json.dumps(thing), flush=True)


async def opened():
    socket = await connect(URL, subprotocols=["graphql-transport-ws"], compression=None)
    await socket.send(json.dumps({"type": "connection_init"}))
    assert json.loads(await socket.recv())["type"] == "connection_ack"
    return socket


async def closes(code):
    socket = await opened()
    await socket.close(code, "done")
    say({"closes": code, "code": socket.close_code, "clean": socket.close_code != 1006})


async def breaks(name, frame):
    socket = await opened()
    # Frames that the client itself would never send, with a zero mask.
    socket.transport.write(bytes(frame))
    try:
        while True:
            await socket.recv()
    except ConnectionClosed as closed:
        say({"breaks": name, "code": closed.rcvd.code if closed.rcvd else 1006})


async def main():
    for code in (1000, 1001, 4000):
        await closes(code)
    await breaks("text", [0x81, 0x81, 0, 0, 0, 0, 0xFF])
    await breaks("reserved", [0xC1, 0x82, 0, 0, 0, 0, 0x7B, 0x7D])
    await breaks("continuation", [0x80, 0x82, 0, 0, 0, 0, 0x7B, 0x7D])


asyncio.run(main())
