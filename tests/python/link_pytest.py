# SPDX-License-Identifier: MIT
"""link_pytest.py DIRECTORY: fill it with links to this interpreter's pytest and what that needs.

Another interpreter finds pytest there, and nothing that was compiled for this one.
"""

import importlib.util
import sys
from pathlib import Path

MODULES = """
_pytest pytest pytest_timeout py pluggy iniconfig packaging attr attrs
hypothesis sortedcontainers _hypothesis_ftz_detector
""".split()

# Before Python 3.11 pytest wants this module, which Debian does not have: nobody needs it there.
EXCEPTION_GROUP = """
class BaseExceptionGroup(BaseException):
    pass


class ExceptionGroup(BaseExceptionGroup, Exception):
    pass
"""


def main() -> None:
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name in MODULES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        target = origin.parent if spec.submodule_search_locations else origin
        link = directory / target.name
        if link.is_symlink():
            link.unlink()
        link.symlink_to(target)
    (directory / "exceptiongroup.py").write_text(EXCEPTION_GROUP)


main()
