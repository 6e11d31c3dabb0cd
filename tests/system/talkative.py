"""xpmsync, or a browser, that tells everything: every logger at DEBUG whatever anybody sets, every exception with all
that led to it, Python's own dumps of HTTP and SMTP on. Those dumps go to a file of their own.

What is changed here is changed before xpmsync is loaded, which may keep what it finds. No test imports this.
"""

import http.client
import logging
import os
import smtplib
import sys
import time
import traceback
from pathlib import Path

set_level = logging.Logger.setLevel
logging.Logger.setLevel = lambda logger, _level: set_level(logger, logging.DEBUG)
time.sleep = lambda _seconds: None  # a pause before another try shows nothing

from xpmsync import cli  # noqa: E402 - see above
from xpmsync.sandbox.browser import main as press_and_follow  # noqa: E402 - as above


def main(arguments):
    """Be the command that the words after the first two are: of xpmsync, or of a browser."""
    folder, role, *arguments = arguments
    evidence = Path(folder)
    describe_process(evidence / "processes")
    exit_code = press_and_follow(arguments) if role == "browser" else be_xpmsync(evidence, arguments)
    (evidence / "processes" / f"{os.getpid()}-inside").write_text(f"{sys.argv} {dict(os.environ)}", "utf-8")
    return exit_code


def be_xpmsync(evidence, arguments):
    wire = (evidence / "wire" / str(os.getpid())).open("a", encoding="utf-8")

    def note(*words, file=None):
        del file
        print(*words, file=wire, flush=True)

    http.client.HTTPConnection.debuglevel = smtplib.SMTP.debuglevel = 1
    http.client.print = smtplib.print = note
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    run_command = cli.program.main

    def run_and_tell(*details, **options):
        try:
            return run_command(*details, **options)
        except BaseException as error:
            tell_everything(error)
            raise

    cli.program.main = run_and_tell
    exit_code = cli.run(arguments)
    wire.close()
    return exit_code


def tell_everything(error):
    """An exception and all those behind it, also where the code says ``from None``."""
    behind = [error]
    for each in behind:
        behind += [other for other in (each.__cause__, each.__context__) if other and other not in behind]
        sys.stderr.write(f"{''.join(traceback.format_exception(each))}{each!r} {vars(each)}\n")


def describe_process(folder):
    """What the system tells about this process to everybody (its arguments) and to its owner (its environment)."""
    for name in ("cmdline", "environ"):
        (folder / f"{os.getpid()}-{name}").write_bytes(Path(f"/proc/self/{name}").read_bytes())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
