"""What runs on the host: plain Python 3.11 or later, nothing but the standard library.

Commands, each started by a target of the Makefile: `up`, `clean`, `test`, `bench`, `lint` (inside
the tests image), `toolbox` and `compose_plugin`. The other modules are the steps that these
commands share.
"""
