"""Who is told of each request when it is over: conversations, metrics, the log, the recorder."""

from __future__ import annotations

import os
from collections.abc import Mapping

from adapters.errors import Unfoldable
from adapters.vocabulary import PLAIN
from cache.controls import member_of
from proxy.config import Settings
from proxy.config_rules import located
from proxy.conversations import Conversations
from proxy.events import Event, Sink, log_event
from proxy.metrics import Metrics
from proxy.record import Recorder
from proxy.replay_facts import ROUTES


def recorder_of(settings: Settings, env: Mapping[str, str], now: float) -> Recorder | None:
    where = settings.record.dir
    return Recorder(located(where, env), started=now, pid=os.getpid()) if where else None


def sinks_of(settings: Settings, metrics: Metrics, recorder: Recorder | None) -> list[Sink]:
    sinks: list[Sink] = [Conversations().note]
    if settings.metrics.enabled:
        sinks.append(metrics.observe)
    if settings.log.requests:
        sinks.append(log_event)
    if recorder is not None:
        sinks.append(_recording(recorder))
    return sinks


def _recording(recorder: Recorder) -> Sink:
    def sink(event: Event) -> None:
        call, message = event.call, None
        if call is None or not call.parsed or event.status >= 400 or event.route not in ROUTES:
            return
        if event.answer is not None:
            try:
                message = event.answer.message()
            except Unfoldable:
                message = None  # torn, or not of one piece: the request is worth recording all the same
        usage = message.get("usage") if message else None
        body = call.parsed
        if call.controls != PLAIN and "cache" not in body:
            body = {**body, "cache": member_of(call.controls)}  # said in a header, and headers are not recorded
        session = call.headers.get("x-session-id", "")
        recorder.record(call.tenant, session, body, message, usage, event.at, event.route)

    return sink
