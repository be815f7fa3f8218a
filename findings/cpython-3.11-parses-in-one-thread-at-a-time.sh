#!/usr/bin/env bash
# Guess:    ast.parse may be called by several threads; the lock of the interpreter keeps them apart.
# Reality:  in 3.11 a SystemError, "AST constructor recursion depth mismatch", ends one of them now and then: the
#           depth is counted for all threads together, and a collection of garbage amid the tree lets another in.
# Version:  CPython 3.11.7; 3.10, 3.12 and 3.13 do not
# Source:   Python/Python-ast.c of 3.11, PyAST_mod2obj: state->recursion_depth, where the state is the interpreter's
# Whom:     whoever compiles templates, reads sources or checks code in a pool of threads. Ours: several boards at
#           once are deployed to, and each reads the sources; tools/board/deploy.py has one do it at a time.
set -euo pipefail
"${PYTHON:-python3}" - <<'PY'
import ast
import gc
import sys
import threading
import time


class Garbage:
    """In a circle, and its end lets other threads run, as the close of a file does."""

    def __init__(self):
        self.me = self

    def __del__(self):
        time.sleep(0)


WIDE = "x = (" + " + ".join(f"f({n}, [g(y) for y in z{n}])" for n in range(100)) + ")\n"
DEEP = "(((a+b)+c)+d)\n" * 50
errors = []


def parse(source):
    for _ in range(30):
        Garbage()
        try:
            ast.parse(source)
        except SystemError as error:
            errors.append(error)
            return


gc.set_threshold(50)
threads = [threading.Thread(target=parse, args=(source,)) for source in (WIDE, DEEP) * 2]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sys.version.split()[0], "SystemError:", errors[0] if errors else "none")
PY
