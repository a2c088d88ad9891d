import pytest

from adapters.errors import Torn
from adapters.simulated_pace import Paced
from adapters.sse import Frame, frame_of
from adapters.vocabulary import Answer, Trace
from tests.adapters.standin import STAND_IN

MESSAGE = {"content": [{"type": "text", "text": "x"}] * 2, "usage": {"output_tokens": 5}}
FRAMES = STAND_IN.unfold(MESSAGE, usage=True)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def paced(
    clock: Clock,
    trace: Trace,
    frames: list[Frame] = FRAMES,
    *,
    span: tuple[float, float] = (102.0, 106.0),
    fault: str = "",
) -> Paced:
    return Paced(frames, span, Answer(STAND_IN), trace, 100.0, fault=fault, sleep=clock.sleep, clock=clock)


async def test_the_first_and_the_last_frame_come_when_they_are_due_and_the_others_evenly_between() -> None:
    clock, trace = Clock(), Trace()
    moments = [clock.now async for _ in paced(clock, trace)]
    assert moments == pytest.approx([102, 103, 104, 105, 106])
    assert (trace.first_frame_seconds, trace.upstream_seconds) == pytest.approx((2, 6))
    assert trace.usage is not None
    assert trace.usage.output == 5


async def test_one_frame_comes_first() -> None:
    clock = Clock()
    assert [clock.now async for _ in paced(clock, Trace(), FRAMES[:1])] == [102]


async def test_a_fault_tears_the_stream_after_its_last_frame() -> None:
    frames = paced(Clock(), Trace(), [FRAMES[0], frame_of(b"{}", "error")], fault="it broke")
    assert [await anext(frames), await anext(frames)][1].event == "error"
    with pytest.raises(Torn, match="it broke") as torn:
        await anext(frames)
    assert torn.value.told


async def test_closing_early_notes_when_and_ends_without_waiting() -> None:
    clock, trace = Clock(), Trace()
    frames = paced(clock, trace)
    await anext(frames)
    clock.now = 102.5
    await frames.aclose()
    with pytest.raises(Torn):
        await anext(frames)
    assert (clock.now, trace.upstream_seconds) == (102.5, 2.5)
    assert trace.usage is None


async def test_nothing_is_at_hand_before_its_time() -> None:
    assert paced(Clock(), Trace()).ready() == []
