"""Pools: size, start-up, delegation, and nobody waits for ever, from threads and from tasks."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from renderers import BadOption, RendererPool, create_renderer_pool, is_multimodal
from renderers.configs import Qwen3RendererConfig
from tests import oracles

ASK = [{"role": "user", "content": "2+2?"}]


class Slow:
    """A renderer that is not known to be thread-safe, and notices who uses it at once."""

    made = 0
    supports_tools = True

    def __init__(self) -> None:
        type(self).made += 1
        self.users = self.most = 0

    def render_ids(self, messages: Any, *, tools: Any = None, add_generation_prompt: bool = False) -> list[int]:
        self.users += 1
        self.most = max(self.most, self.users)
        time.sleep(0.002)
        self.users -= 1
        return [len(messages)]

    def get_stop_token_ids(self) -> list[int]:
        raise RuntimeError("no stops today")


def test_the_factory_is_called_once_a_place_and_in_parallel() -> None:
    together = threading.Barrier(4, timeout=20)

    def make() -> Slow:
        together.wait()  # passes only if all four are here at the same time
        return Slow()

    pool = RendererPool(make, size=4)
    assert pool.size == 4
    assert pool.renderer_cls is Slow


def test_a_pool_needs_a_size_and_passes_on_what_its_factory_raises() -> None:
    with pytest.raises(BadOption, match="size"):
        RendererPool(Slow, size=0)
    with pytest.raises(BadOption, match="size"):
        RendererPool.shared(Slow(), 0)
    with pytest.raises(ZeroDivisionError):
        RendererPool(lambda: 1 / 0, size=3)


def test_methods_and_attributes_are_those_of_the_renderers() -> None:
    pool = RendererPool(Slow, size=2)
    assert pool.render_ids(ASK) == [1]
    assert pool.supports_tools is True
    assert not pool.is_multimodal
    assert not is_multimodal(pool)
    with pytest.raises(AttributeError):
        _ = pool.no_such_thing

    class Seeing(Slow):
        mm_token_type_id_map = {7: 1}  # noqa: RUF012

    seeing = RendererPool(Seeing, size=1)
    assert seeing.is_multimodal
    assert is_multimodal(seeing)
    assert seeing.mm_token_type_id_map == {7: 1}


def test_threads_use_each_renderer_alone_and_none_is_lost() -> None:
    pool = RendererPool(Slow, size=3)
    slots = list(pool._free)
    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(lambda k: pool.render_ids([0] * k), range(60))) == [[k] for k in range(60)]
    assert [slot.most for slot in slots] == [1, 1, 1]
    assert len(pool._free) == 3


def test_a_caller_that_raises_gives_its_renderer_back() -> None:
    pool = RendererPool(Slow, size=1)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="no stops"):
            pool.get_stop_token_ids()
        with pytest.raises(KeyError), pool.checkout():
            raise KeyError
    assert pool.render_ids(ASK) == [1]


def test_tasks_wait_without_stopping_the_event_loop() -> None:
    pool = RendererPool(Slow, size=2)

    async def one(k: int) -> list[int]:
        async with pool.checkout() as renderer:
            await asyncio.sleep(0.001)
            if k % 5 == 0:
                raise LookupError(k)
            return renderer.render_ids([0] * k)  # type: ignore[no-any-return]

    async def all_of_them() -> list[Any]:
        return await asyncio.wait_for(asyncio.gather(*map(one, range(40)), return_exceptions=True), 30)

    results = asyncio.run(all_of_them())
    assert [r for r in results if not isinstance(r, LookupError)] == [[k] for k in range(40) if k % 5]
    assert len(pool._free) == 2


def test_a_cancelled_task_takes_nothing_with_it() -> None:
    pool = RendererPool(Slow, size=1)

    async def scenario() -> None:
        async def wait() -> None:
            async with pool.checkout():
                pass

        async with pool.checkout():
            waiting = [asyncio.create_task(wait()) for _ in range(3)]
            await asyncio.sleep(0)
            for task in waiting[:2]:
                task.cancel()
        await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10)

    asyncio.run(scenario())
    assert len(pool._free) == 1


def test_a_blocking_wait_on_the_event_loop_is_an_error_not_a_deadlock() -> None:
    pool = RendererPool(Slow, size=1)

    async def scenario() -> None:
        async with pool.checkout():
            with pytest.raises(RuntimeError, match="async with"), pool.checkout():
                pass

    asyncio.run(scenario())
    assert pool.render_ids(ASK) == [1]


@pytest.mark.skipif(not oracles.has_assets("qwen3"), reason="real tokenizers are not on this machine")
def test_pools_of_real_renderers_share_one() -> None:
    folder = str(oracles.assets_folder() / "qwen3")
    for pool in (
        create_renderer_pool(folder, "qwen3", size=4),
        create_renderer_pool(folder, renderer="qwen3", size=4, preserve_all_thinking=True),
        create_renderer_pool(folder, Qwen3RendererConfig(), size=4),
    ):
        assert (pool.size, pool.renderer_cls.__name__) == (4, "Qwen3Renderer")
        wanted = pool.render_ids(ASK, add_generation_prompt=True)
        with pool.checkout() as a, pool.checkout() as b, pool.checkout(), pool.checkout(), pool.checkout() as more:
            assert more.render_ids(ASK, add_generation_prompt=True) == wanted
            assert a is b
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(pool.render_ids, ASK, add_generation_prompt=True) for _ in range(64)]
            assert all(told.result() == wanted for told in asked)
        result = [{"role": "tool", "content": "42", "name": "f"}]
        assert pool.bridge_to_next_turn(wanted, [wanted[0]], result)[: len(wanted)] == wanted
        assert pool.supports_tools
