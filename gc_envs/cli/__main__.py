"""`python -m gc_envs.cli`, which is `gc-envs`."""

import sys

from gc_envs.cli import main

if __name__ == "__main__":
    sys.exit(main())
