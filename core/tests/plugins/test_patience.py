"""The limit to the time a plug-in's answer may take."""

import signal
import threading
import time

import pytest

from htvm.plugins.patience import NoAnswerError, Patience

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers")


def forever():
    while True:
        time.sleep(0.01)


def test_an_answer_that_never_comes_is_given_up_with_its_name():
    patience = Patience(0.05)
    with pytest.raises(NoAnswerError) as caught, patience.waiting("target 'x'", "htvm_pack"):
        forever()
    assert caught.value.code == "E618"
    assert caught.value.message == "target 'x' does not come to an end in htvm_pack"
    assert caught.value.seen.startswith("no answer within 0.05 s, then at test_patience.py:")


def test_after_one_that_never_came_none_is_waited_for():
    patience = Patience(0.05)
    with pytest.raises(NoAnswerError), patience.waiting("it", "first"):
        forever()
    with pytest.raises(NoAnswerError, match="first"), patience.waiting("it", "second"):
        pytest.fail("it was asked again")


def test_a_part_does_not_get_time_of_its_own():
    patience = Patience(0.1)
    with pytest.raises(NoAnswerError, match="whole"), patience.waiting("it", "whole"):
        for _ in range(100):
            with patience.waiting("it", "part"):
                time.sleep(0.02)


def test_catching_the_first_interruption_does_not_help(monkeypatch):
    monkeypatch.setattr("htvm.plugins.patience._AGAIN_S", 0.2)
    caught = []
    with pytest.raises(NoAnswerError), Patience(0.05).waiting("it", "all"):
        try:
            forever()
        except NoAnswerError as error:
            caught.append(error)
        forever()
    assert caught


def test_timer_and_handler_are_as_before():
    before = signal.getsignal(signal.SIGALRM)
    with Patience(5).waiting("it", "all"):
        assert signal.getsignal(signal.SIGALRM) is not before
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_another_thread_waits_as_long_as_it_takes():
    found = []

    def ask():
        with Patience(0.01).waiting("it", "all"):
            time.sleep(0.05)
            found.append("answer")

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert found == ["answer"]
