"""Python starts with this: the wall clock is off by the seconds in the file LAB_CLOCK, where there is one."""
import os
import time

_file = os.environ.get("LAB_CLOCK", "")
_time = time.time


def _set_time():
    try:
        with open(_file, encoding="utf8") as file:
            return _time() + float(file.read())
    except (OSError, ValueError):
        return _time()


time.time = _set_time
