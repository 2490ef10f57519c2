"""What is said reaches the reader."""

from __future__ import annotations

import os
import threading
import time

from hydrodl.application.speech import passed_on


def test_text_is_read_before_the_end_goes_on() -> None:
    """The reader is late, as a launcher on a loaded machine; without a reader the wait has an end."""
    out, into = os.pipe()
    begun = threading.Event()

    def reader() -> None:
        time.sleep(0.2)
        begun.set()
        os.read(out, 100)

    os.write(into, b"ZeroDivisionError: alone\n")
    late = threading.Thread(target=reader)
    late.start()
    passed_on(into, moment=0.0)
    assert begun.is_set()
    late.join()
    os.write(into, b"nobody reads this\n")
    passed_on(into, 0.1, 0.0)
    os.close(into)
    os.close(out)
    passed_on(into, 0.1, 0.0)  # closed: nothing is on its way
