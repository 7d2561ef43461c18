"""Connections to providers: kept, shared, limited and given up, against servers on real sockets."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from gateway import connections, egress, upstream_http
from gateway.egress import Egress
from gateway.errors import ApiError
from gateway.providers.base import Outbound
from tests.gateway.listening import CHUNKED, OK, Reader, Server, Writer, ask, says, serving, until


async def test_one_connection_serves_request_after_request() -> None:
    server = Server(says(OK))
    async with serving(server) as (client, url):
        for _ in range(5):
            assert await ask(client, url) == b"ok"
    assert server.connections == 1


async def test_requests_at_once_never_share_a_connection_and_each_gets_its_own_answer() -> None:
    server = Server(says())

    async def echo(_: Reader, writer: Writer) -> None:
        body = server.bodies[-1]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    server.answer = echo
    async with serving(server) as (client, url):

        async def several(who: int) -> None:
            for turn in range(20):
                said = b"%d in turn %d" % (who, turn)
                assert await ask(client, url, said) == said

        await asyncio.gather(*(several(who) for who in range(8)))
    assert server.connections <= 8


async def test_headers_may_come_in_any_pieces_and_names_in_any_case() -> None:
    whole = b"HTTP/1.1 200 OK\r\nX-One: 1\r\nx-ONE: 2\r\nContent-Length: 2\r\n\r\nok"
    async with serving(Server(says(*(bytes([byte]) for byte in whole)))) as (client, url):
        answer = await client.send(Outbound(url=url, headers={}, body=b""))
        assert answer.headers == {"x-one": "1, 2", "content-length": "2"}
        assert await answer.read() == b"ok"


async def test_what_comes_before_the_answer_is_passed_over() -> None:
    server = Server(says(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK))
    async with serving(server) as (client, url):
        answer = await client.send(Outbound(url=url, headers={}, body=b""))
        assert (answer.status, "link" in answer.headers) == (200, False)
        assert await answer.read() == b"ok"
        assert await ask(client, url) == b"ok"
    assert server.connections == 1


async def test_trailers_and_extensions_of_chunks_are_no_part_of_the_body() -> None:
    server = Server(says(CHUNKED + b"2;a=b\r\nok\r\n0\r\nx-after: 1\r\n\r\n"))
    async with serving(server) as (client, url):
        assert [await ask(client, url) for _ in range(2)] == [b"ok", b"ok"]
    assert server.connections == 1


async def test_a_body_without_a_length_ends_with_its_connection() -> None:
    async def once(_: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of")
        await writer.drain()
        writer.write(b" it")
        writer.close()

    server = Server(once)
    async with serving(server) as (client, url):
        assert [await ask(client, url) for _ in range(2)] == [b"all of it", b"all of it"]
    assert server.connections == 2


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", CHUNKED + b"5\r\n"])
async def test_a_body_that_ends_early_is_a_502(head: bytes) -> None:
    async def cut(_: Reader, writer: Writer) -> None:
        writer.write(head + b"two")
        writer.close()

    async with serving(Server(cut)) as (client, url):
        with pytest.raises(ApiError) as caught:
            await ask(client, url)
    assert (caught.value.status, "broke off" in caught.value.hint) == (502, True)


@pytest.mark.parametrize("say", [b"connection: close\r\n", b""])
async def test_a_connection_that_the_server_closes_is_not_used_again(say: bytes) -> None:
    async def one_answer(_: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n%bcontent-length: 2\r\n\r\nok" % say)
        await writer.drain()
        writer.close()

    server = Server(one_answer)
    async with serving(server) as (client, url):
        for count in (1, 2, 3):
            assert await ask(client, url) == b"ok"
            await until(lambda: not (server.open or len(client._connections)))
            assert server.connections == count


async def test_a_server_that_has_said_all_and_only_listens_has_answered() -> None:
    async def half_close(_: Reader, writer: Writer) -> None:
        writer.write(OK)
        writer.write_eof()

    async with serving(Server(half_close)) as (client, url):
        assert await ask(client, url) == b"ok"
        await until(lambda: not len(client._connections))
        assert await ask(client, url) == b"ok"


async def test_words_that_nobody_asked_for_end_a_connection() -> None:
    server = Server(says(OK + OK))
    async with serving(server) as (client, url):
        assert [await ask(client, url) for _ in range(2)] == [b"ok", b"ok"]
    assert server.connections == 2


@pytest.mark.parametrize(
    "nonsense",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\nok",
    ],
)
async def test_an_answer_that_can_be_read_in_two_ways_is_a_502(nonsense: bytes) -> None:
    async with serving(Server(says(nonsense))) as (client, url):
        with pytest.raises(ApiError) as caught:
            await ask(client, url)
    assert caught.value.status == 502


async def test_headers_without_end_are_given_up() -> None:
    async def endless(_: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-more: %b\r\n" % (b"x" * 8000))
            await writer.drain()

    async with serving(Server(endless)) as (client, url):
        with pytest.raises(ApiError) as caught:
            await ask(client, url)
    assert caught.value.status == 502


@pytest.mark.parametrize("name", ["x-one", "x\r\nx-two"])
async def test_a_header_is_never_two(name: str) -> None:
    server = Server(says(OK))
    async with serving(server) as (client, url):
        with pytest.raises(ApiError) as caught:
            await client.send(Outbound(url=url, headers={name: "1\r\nx-two: secret"}, body=b""))
    assert caught.value.status == 502
    assert "secret" not in caught.value.hint
    assert server.heads == []


async def test_a_body_of_any_size_arrives_whole() -> None:
    server = Server(says(OK))
    async with serving(server) as (client, url):
        await ask(client, url, b"x" * upstream_http.COPIED)
        await ask(client, url, b"x" * 1_000_000)
    assert [len(body) for body in server.bodies] == [upstream_http.COPIED, 1_000_000]


async def test_an_answer_before_the_whole_request_was_read_is_heard_and_the_connection_ended() -> None:
    heard = asyncio.Event()

    async def refuse(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        await heard.wait()
        writer.close()

    running = await asyncio.start_server(refuse, "127.0.0.1", 0)
    client = Egress()
    url = f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}/"
    answer = await client.send(Outbound(url=url, headers={}, body=b"x" * 50_000_000))
    assert (answer.status, await answer.read()) == (413, b"")
    await asyncio.sleep(0)
    assert len(client._connections) == 0
    heard.set()
    await client.aclose()
    running.close()


async def test_a_reader_that_falls_behind_stops_the_provider() -> None:
    """What waits in between is bounded, however much the provider has to say."""
    written, total = 0, 200

    async def flood(_: Reader, writer: Writer) -> None:
        nonlocal written
        writer.write(CHUNKED)
        for _piece in range(total):
            writer.write(b"10000\r\n%b\r\n" % (b"x" * 65536))
            await writer.drain()
            written += 1
        writer.write(b"0\r\n\r\n")

    async with serving(Server(flood)) as (client, url):
        answer = await client.send(Outbound(url=url, headers={}, body=b""))
        chunks = answer.chunks()
        await anext(chunks)
        for _ in range(200):
            await asyncio.sleep(0.001)
        stopped_at = written
        assert stopped_at < total
        assert answer._response._size <= 2 * max(upstream_http.READ_AHEAD, 256 * 1024)
        rest = sum([len(chunk) async for chunk in chunks])
        assert written == total
        assert rest > (total - stopped_at) * 65536
        await chunks.aclose()


async def test_as_many_connections_as_there_may_be_and_the_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "MAX_CONNECTIONS", 3)
    server = Server(says(OK, pause=0.01))
    async with serving(server) as (client, url):
        assert await asyncio.gather(*(ask(client, url) for _ in range(12))) == [b"ok"] * 12
    assert server.most_open == 3


async def test_whoever_gives_up_waiting_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "MAX_CONNECTIONS", 1)
    release = asyncio.Event()

    async def slow(_: Reader, writer: Writer) -> None:
        await release.wait()
        writer.write(OK)

    async with serving(Server(slow)) as (client, url):
        first, gone, last = (asyncio.create_task(ask(client, url)) for _ in range(3))
        await until(lambda: len(client._connections._waiting) == 2)
        gone.cancel()
        release.set()
        assert (await first, await last) == (b"ok", b"ok")


async def test_an_idle_connection_makes_room_for_another_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "MAX_CONNECTIONS", 1)
    async with serving(Server(says(OK))) as (client, one), serving(Server(says(OK))) as (_, other):
        assert [await ask(client, url) for url in (one, other, one)] == [b"ok"] * 3
        assert len(client._connections) == 1


async def test_a_connection_is_closed_when_nobody_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.05)
    server = Server(says(OK))
    async with serving(server) as (client, url):
        await ask(client, url)
        assert len(client._connections) == 1
        await until(lambda: not (server.open or len(client._connections)))
        assert client._connections._idle == {}


async def test_a_connection_that_is_gone_leaves_nothing_behind() -> None:
    """Not even until somebody collects garbage: callers hang up all the time."""

    async def endless(_: Reader, writer: Writer) -> None:
        writer.write(CHUNKED + b"3\r\none\r\n")
        await writer.drain()

    async with serving(Server(endless)) as (client, url):
        gc.disable()
        try:
            answer = await client.send(Outbound(url=url, headers={}, body=b""))
            chunks = answer.chunks()
            assert await anext(chunks) == b"one"
            (connection,) = map(weakref.ref, client._connections._origins)
            await chunks.aclose()
            await answer.aclose()
            del answer, chunks
            await until(lambda: connection() is None)
        finally:
            gc.enable()


async def test_a_name_is_looked_up_once_for_many() -> None:
    server = Server(says(OK))
    async with serving(server) as (client, url):
        named = url.replace("127.0.0.1", "localhost")
        looked = 0
        loop = asyncio.get_running_loop()
        real = loop.getaddrinfo

        async def counted(*args: object, **options: object) -> object:
            nonlocal looked
            looked += 1
            return await real(*args, **options)  # type: ignore[arg-type]

        loop.getaddrinfo = counted  # type: ignore[method-assign, assignment]
        try:
            await asyncio.gather(*(ask(client, named) for _ in range(5)))
        finally:
            loop.getaddrinfo = real  # type: ignore[method-assign]
    assert looked == 1


async def test_a_name_that_does_not_exist_is_a_502_and_is_looked_up_again() -> None:
    client = Egress()
    for _ in range(2):
        with pytest.raises(ApiError) as caught:
            await ask(client, "http://no-such-host.invalid/v1")
        assert caught.value.status == 502
    await client.aclose()


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "nothing", "http://[", "http:///v1"])
async def test_what_is_no_address_is_a_502(url: str) -> None:
    client = Egress()
    with pytest.raises(ApiError) as caught:
        await ask(client, url)
    assert caught.value.status == 502
    await client.aclose()


async def test_a_request_says_where_it_goes() -> None:
    server = Server(says(OK))
    async with serving(server) as (client, url):
        await ask(client, f"{url}/ä b?alt=sse")
        host = url.split("/")[2]
    line, *fields = server.heads[0].decode("ascii").split("\r\n")
    assert line == "POST /v1/x/%C3%A4%20b?alt=sse HTTP/1.1"
    assert {f"host: {host}", "accept-encoding: identity", "content-length: 2"} <= set(fields)
