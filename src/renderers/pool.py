"""A pool of renderers, for callers that check one out. Ours are thread-safe, so one alone serves as well."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ._compat.create import create_renderer
from ._compat.types import is_multimodal
from ._errors import BadOption


class RendererPool:
    """Renderers to check out; the pool has a renderer's methods itself.

    A free one is handed out alone. When none is free, thread-safe renderers are shared; for others a caller waits: a
    thread blocks, a task waits in ``async with``. A caller that raises gives its renderer back.

    Args:
        factory: makes one renderer; called `size` times, in parallel.
        size: how many there are.

    Attributes:
        size: how many there are.
        renderer_cls: their class.
    """

    def __init__(self, factory: Callable[[], Any], size: int = 16) -> None:
        _check(size)
        with ThreadPoolExecutor(min(size, 32), thread_name_prefix="renderer-pool") as threads:
            made = list(threads.map(lambda _: factory(), range(size)))
        self._fill(made)

    @classmethod
    def shared(cls, renderer: Any, size: int) -> RendererPool:
        """A pool whose places all hold the one thread-safe `renderer`."""
        _check(size)
        pool = cls.__new__(cls)
        pool._fill([renderer] * size)
        return pool

    def _fill(self, renderers: list[Any]) -> None:
        self.size, self.renderer_cls = len(renderers), type(renderers[0])
        self._one = renderers[0]
        self._lock = threading.Lock()
        self._free = deque(renderers)
        self._waiting: deque[Future[Any]] = deque()

    def checkout(self) -> Checkout:
        """A renderer for a ``with`` or an ``async with`` block."""
        return Checkout(self)

    def _take(self) -> Any | Future[Any]:
        """A renderer, or the promise of one."""
        with self._lock:
            if self._free:
                return self._free.popleft()
            promise: Future[Any] = Future()
            self._waiting.append(promise)
            return promise

    def _give(self, renderer: Any) -> None:
        with self._lock:
            while self._waiting:
                promise = self._waiting.popleft()
                if promise.set_running_or_notify_cancel():
                    promise.set_result(renderer)
                    return
            self._free.append(renderer)

    @property
    def is_multimodal(self) -> bool:
        """The renderers take pictures or videos."""
        return is_multimodal(self._one)

    @property
    def _shareable(self) -> bool:
        return _is_thread_safe(self._one)

    def __getattr__(self, name: str) -> Any:
        """Attributes of the renderers; methods run on one that is checked out for the call."""
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self._one, name)
        if not callable(value) or isinstance(value, type):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            with self.checkout() as renderer:
                return getattr(renderer, name)(*args, **kwargs)

        return call


def _check(size: int) -> None:
    if size < 1:
        raise BadOption(f"size must be at least 1, not {size}")


def _is_thread_safe(renderer: Any) -> bool:
    return bool(getattr(renderer, "thread_safe", False))


class Checkout:
    """One renderer taken out of a pool for a block."""

    def __init__(self, pool: RendererPool) -> None:
        self._pool = pool
        self._held: list[Any] = []

    def __enter__(self) -> Any:
        taken = self._taken()
        if isinstance(taken, Future):
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                return self._hold(taken.result())
            taken.cancel()
            raise RuntimeError(
                "all renderers of the pool are held by tasks of this event loop, and waiting here would stop it; "
                "use `async with pool.checkout()`, or a larger pool"
            )
        return taken

    def __exit__(self, *_: object) -> None:
        if self._held:
            self._pool._give(self._held.pop())

    async def __aenter__(self) -> Any:
        taken = self._taken()
        if not isinstance(taken, Future):
            return taken
        try:
            return self._hold(await asyncio.wrap_future(taken))
        except asyncio.CancelledError:
            if not taken.cancel() and not taken.cancelled():  # it was given to us in the same moment
                self._pool._give(taken.result())
            raise

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def _taken(self) -> Any | Future[Any]:
        if self._pool._shareable and not self._pool._free:
            return self._pool._one
        taken = self._pool._take()
        return taken if isinstance(taken, Future) else self._hold(taken)

    def _hold(self, renderer: Any) -> Any:
        self._held.append(renderer)
        return renderer


def create_renderer_pool(
    tokenizer_name_or_path: Any,
    renderer: Any = "auto",
    size: int = 16,
    *,
    config: Any = None,
    chat_template_kwargs: Mapping[str, Any] | None = None,
    **knobs: Any,
) -> RendererPool:
    """A pool for a model; `renderer` is a name or a config, and the rest is as for `create_renderer`.

    A thread-safe renderer is made once and shared by all places; another is made once for each.
    """
    chosen = renderer if config is None else config

    def make() -> Any:
        return create_renderer(tokenizer_name_or_path, chosen, chat_template_kwargs=chat_template_kwargs, **knobs)

    first = make()
    if _is_thread_safe(first):
        return RendererPool.shared(first, size)
    return RendererPool(make, size)
