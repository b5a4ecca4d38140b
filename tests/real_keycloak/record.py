"""The record of a run: one line for each thing that was checked, and the two totals."""

import time
import traceback
from contextlib import contextmanager

LONGEST_LIST = 8


class Record:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.began = time.monotonic()

    def seconds(self):
        return time.monotonic() - self.began

    def headline(self, text):
        print(f"\n{text}  [{self.seconds():.0f} s]", flush=True)

    def turn(self, text):
        print(f"\n  {text}", flush=True)

    def note(self, text):
        print(f"        {text}", flush=True)

    def check(self, what, passed, detail=""):
        """Writes down what was checked; the detail is for a failure."""
        if passed:
            self.passed += 1
            print(f"  ok    {what}", flush=True)
        else:
            self.failed += 1
            print(f"  FAIL  {what}", flush=True)
            for line in str(detail).splitlines()[:40]:
                self.note(line)
        return passed

    def same(self, what, got, wanted):
        """Checks that two values are the same; of sets and dictionaries, a failure shows what is different only."""
        if isinstance(got, set) and isinstance(wanted, set):
            detail = listed("not expected", got - wanted) + listed("missing", wanted - got)
        elif isinstance(got, dict) and isinstance(wanted, dict):
            different = {key for key in got.keys() | wanted.keys() if got.get(key) != wanted.get(key)}
            detail = listed("different", {f"{key}: {got.get(key)!r}, not {wanted.get(key)!r}" for key in different})
        else:
            detail = f"{got!r}\nand not {wanted!r}"
        return self.check(what, got == wanted, detail)

    @contextmanager
    def guarded(self, what):
        """Counts whatever goes wrong inside as one failure, so that the rest is still tried."""
        try:
            yield
        except Exception:
            self.check(what, False, traceback.format_exc())


def listed(title, items):
    shown = [f"{title}: {item}" for item in sorted(map(str, items))[:LONGEST_LIST]]
    if len(items) > LONGEST_LIST:
        shown.append(f"{title}: and {len(items) - LONGEST_LIST} more")
    return "".join(line + "\n" for line in shown)
