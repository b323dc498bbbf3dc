"""The uploads that wait, without a network: their order, their times, and what a failure is about."""

from __future__ import annotations

import pytest

from jobs.steps import Wait
from jobs.verdict import Pause
from runner.errors import AuthError, RunnerError, ServiceRefused, Unreachable, UsageError
from runner.upload_queue import Upload, UploadQueue, pause_for
from tests.runner.world_items import item, picture

SHOE, HAT = picture("shoe"), picture("hat")


def queue() -> UploadQueue:
    made = UploadQueue()
    made.know([item(0, "nano-banana", references=[SHOE]), item(1, "seedance-2", references=[SHOE, HAT])])
    return made


def drawn(queue: UploadQueue, now_s: float = 0.0) -> Upload:
    upload = queue.next(now_s)
    assert isinstance(upload, Upload)
    return upload


def test_each_content_is_uploaded_once_in_a_life_for_the_first_that_wants_it() -> None:
    uploads = queue()

    assert uploads.take_up([SHOE.sha256, HAT.sha256])
    assert not uploads.take_up([HAT.sha256])

    first, second = drawn(uploads), drawn(uploads)
    assert (first.reference, first.model) == (SHOE, "nano-banana")
    assert (second.reference, second.model) == (HAT, "seedance-2")
    assert uploads.next(0.0) == Wait(until_s=None)
    assert not uploads.take_up([SHOE.sha256])
    assert uploads.needed == 2


def test_an_upload_that_failed_goes_behind_the_others_and_waits_for_its_time() -> None:
    uploads = queue()
    uploads.take_up([SHOE.sha256, HAT.sha256])

    uploads.put_back(drawn(uploads), due_s=7.0)

    assert drawn(uploads).reference == HAT
    assert uploads.next(6.9) == Wait(until_s=7.0)
    assert drawn(uploads, 7.0).reference == SHOE


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (AuthError("no"), Pause.AUTH),
        *((ServiceRefused("no", status=status), Pause.CONFIG) for status in (301, 302, 404)),
        *((ServiceRefused("no", status=status), None) for status in (400, 409, 413, 422)),
        *((ServiceRefused("no", status=status), Pause.NETWORK) for status in (408, 425, 429, 500, 503)),
        (Unreachable("no"), Pause.NETWORK),
        (UsageError("the file has changed"), None),
    ],
    ids=lambda each: str(getattr(each, "status", "")) if isinstance(each, RunnerError) else None,
)
def test_a_failed_upload_is_about_the_key_the_address_the_moment_or_the_file(
    error: RunnerError, pause: Pause | None
) -> None:
    assert pause_for(error) is pause
