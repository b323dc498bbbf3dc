"""The careful script on uvloop."""

from __future__ import annotations

import json
import sys

import uvloop

from tests.bench.peer_careful import main
from tests.bench.workloads import Told

if __name__ == "__main__":
    uvloop.run(main(Told(**json.loads(sys.argv[1]))))
